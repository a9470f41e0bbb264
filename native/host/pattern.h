/*
 * pattern.h: data for benches that costs nothing while it is written.
 *
 * A pattern of 64 MiB is made once: byte p of it is gen(seed, p) of words.h. The image is taken in units of 1 MiB, and
 * unit u starts in the pattern at
 *
 *   start(u) = (word(u) of seed (2^64 - 1 - seed), mod 16384) × 4096
 *
 * and goes on from there, around the pattern's end. So image byte o = pattern[(start(o >> 20) + (o mod 1 MiB)) mod 64 MiB].
 * Writers hand out pointers into the pattern (no copy, page aligned, shared by forked streams), and readers compare with
 * it. The data does not compress; a unit at a wrong place is seen unless two starts are equal (1 in 16384). But it is the
 * same 64 MiB again and again, and the same in every stream: a store that deduplicates finds that. For data without a
 * like there is --dedup 1 (shape.h), which costs a pass over the bytes.
 */
#ifndef HOST_PATTERN_H
#define HOST_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_BYTES (UINT64_C(64) << 20)
#define PATTERN_UNIT (UINT64_C(1) << 20)
#define PATTERN_PIECES (PATTERN_BYTES / PATTERN_UNIT + 1) /* the first one again behind the end: no unit wraps */

struct pattern {
  uint64_t seed;
  unsigned char *bytes; /* a mapping of PATTERN_PIECES units */
  bool filled[PATTERN_PIECES];
};

bool pattern_open(struct pattern *pattern, uint64_t seed); /* false: no memory; pieces are filled when first used */
void pattern_fill(struct pattern *pattern);                /* all of it, now: before a fork or a measurement */
void pattern_close(struct pattern *pattern);

/* The data from `offset` on; *length is cut to the end of the unit. */
const unsigned char *pattern_at(struct pattern *pattern, uint64_t offset, size_t *length);

/* `length` bytes of the pattern itself from `at` on; they must lie in the mapping. */
const unsigned char *pattern_from(struct pattern *pattern, uint64_t at, size_t length);

void pattern_copy(struct pattern *pattern, uint64_t offset, void *bytes, size_t length);
size_t pattern_mismatch(struct pattern *pattern, uint64_t offset, const void *bytes, size_t length);

#endif
