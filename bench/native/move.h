/* Bytes between memory and a place in a file: all of them, or the program ends. */
#ifndef BENCH_MOVE_H
#define BENCH_MOVE_H

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "timing.h"

static inline void move(int fd, unsigned char *memory, size_t bytes, uint64_t offset, int reading) {
  while (bytes > 0) {
    const ssize_t n = reading ? pread(fd, memory, bytes, (off_t)offset) : pwrite(fd, memory, bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    check(n <= 0, reading ? "read" : "write");
    memory += n;
    offset += (uint64_t)n;
    bytes -= (size_t)n;
  }
}

#endif
