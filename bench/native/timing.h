/* What the floors share: the clock, the median, and an end with a word when the system refuses. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline void check(int bad, const char *what) {
  if (!bad) return;
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  exit(1);
}

/* Seconds of the monotonic clock. */
static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int rising(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Sorts the `count` times, in seconds. */
static inline double median_us(double *seconds, int count) {
  qsort(seconds, (size_t)count, sizeof *seconds, rising);
  return seconds[count / 2] * 1e6;
}

#endif
