/*
 * shape.h: generated data whose repetition and compressibility are set, by --dedup and --compress. Without them see
 * pattern.h.
 *
 * The image is taken in units of 1 MiB. With --dedup D unit u is fresh when u is 0 or floor(u / D) is not
 * floor((u - 1) / D): one unit of D. A fresh unit has the content floor(u / D), any other one the content of a unit before
 * it, word(2^63 + u) mod (floor(u / D) + 1). So the same bytes come again at multiples of 1 MiB only, and a store that
 * deduplicates by blocks of 1 MiB or less, at multiples of their size, finds D.
 *
 * With --compress C the first 4096 / C bytes of each 4 KiB, rounded up to a multiple of 8, do not compress and the rest
 * is zero. Of those that do not, word i of content c is
 *
 *   gen(0, (start + 8 i) mod 64 MiB) as a word XOR word(2 c + 1),   start = (word(2 c) mod 16384) × 4096
 *
 * with gen and word of words.h; word(x) is that of seed 2^64 - 1 - (S + n), S the seed and n the number of the stream, 0
 * without --streams. Each content has a word of its own to be mixed with, so fresh data has no like, in this image or
 * in another stream's. It costs a pass over the bytes, which is told as time of the input (file_s).
 */
#ifndef HOST_SHAPE_H
#define HOST_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

#define SHAPE_ONE UINT64_C(1000) /* ratios are in thousandths */
#define SHAPE_GRANULE 4096u

struct shape {
  bool on;
  uint64_t seed;   /* of word(x) */
  uint64_t dedup;  /* thousandths */
  size_t kept;     /* bytes of each 4 KiB that do not compress */
  struct pattern *pattern; /* of seed 0 */
};

void shape_set(struct shape *shape, struct pattern *pattern, uint64_t seed, uint64_t dedup, uint64_t compress);

void shape_copy(const struct shape *shape, uint64_t offset, void *bytes, size_t length);

/* Index of the first byte that is not what shape_copy makes; `length` when all are. */
size_t shape_mismatch(const struct shape *shape, uint64_t offset, const void *bytes, size_t length);

#endif
