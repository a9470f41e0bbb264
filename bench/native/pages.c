/*
 * pages BYTES: what it costs to make and to give back the pages of a fresh arena, as the engine does both: a memfd, 4 MiB at
 * a time. {"bytes":…,"seconds": to make them,"free_seconds": to give them back,"cpu_s":…}
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "timing.h"

#define STEP ((size_t)4 << 20)
#define PAGE 4096
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static void make(unsigned char *memory, size_t bytes) {
  if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0) return;
  check(errno != EINVAL, "populate");
  for (size_t at = 0; at < bytes; at += PAGE) *(volatile unsigned char *)(memory + at) = 0; /* an older kernel */
}

int main(int argc, char **argv) {
  const size_t bytes = argc == 2 ? strtoull(argv[1], NULL, 10) / STEP * STEP : 0;
  if (bytes == 0) {
    fprintf(stderr, "usage: pages BYTES (4 MiB at least)\n");
    return 2;
  }
  const int fd = memfd_create("pages", MFD_CLOEXEC);
  check(fd < 0 || ftruncate(fd, (off_t)bytes) != 0, "memfd");
  unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(memory == MAP_FAILED, "mmap");
  const double begin = now();
  for (size_t at = 0; at < bytes; at += STEP) make(memory + at, STEP);
  const double made = now();
  for (size_t at = 0; at < bytes; at += STEP) check(madvise(memory + at, STEP, MADV_DONTNEED) != 0, "madvise");
  munmap(memory, bytes);
  close(fd);
  const double freed = now();
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"bytes\":%zu,\"seconds\":%.6f,\"free_seconds\":%.6f,\"cpu_s\":%.6f}\n", bytes, made - begin, freed - made,
         (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  return 0;
}
