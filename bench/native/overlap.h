/*
 * overlap: what a plug-in of this contract has to do at least. The host program's buffer is its own, so each byte is copied
 * once, and while one slot is copied the others are on their way to the device or from it.
 */
#ifndef BENCH_OVERLAP_H
#define BENCH_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

#define OVERLAP_SLOTS 3
#define OVERLAP_LANES_MAX 3

struct overlap {
  int fd, reading, lanes;
  uint64_t bytes;
  size_t block_bytes, buffer_bytes;
  unsigned char *slots;  /* OVERLAP_SLOTS of block_bytes */
  unsigned char *host;   /* block_bytes to write from, buffer_bytes to read into */
};

/* Moves all bytes. The calling thread copies; `lanes` threads write or read. */
void overlap_run(const struct overlap *overlap);

#endif
