/* Steps of the commit protocol that the floors take: a small file with its fsync, a directory's fsync. */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "timing.h"

static inline void sync_directory(const char *path) {
  const int fd = open(path, O_RDONLY | O_DIRECTORY);
  check(fd < 0 || fsync(fd) != 0, path);
  close(fd);
}

static inline void write_synced(const char *path, const char *bytes, size_t length) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
  check(fd < 0, path);
  check(write(fd, bytes, length) != (ssize_t)length || fsync(fd) != 0, path);
  close(fd);
}

/* Behind the data of an image in `dir`: sums, then the meta by rename, then the directory and the one that has it. */
static inline void commit_image(const char *dir, int data) {
  char path[600], final[600];
  static const char sums[1024] = "sums";
  check(fdatasync(data) != 0, "fdatasync");
  snprintf(path, sizeof path, "%s/image.sums", dir);
  write_synced(path, sums, sizeof sums);
  snprintf(path, sizeof path, "%s/.meta", dir);
  snprintf(final, sizeof final, "%s/image.meta", dir);
  write_synced(path, "{}", 2);
  check(rename(path, final) != 0, "rename");
  sync_directory(dir);
  snprintf(path, sizeof path, "%s/..", dir);
  sync_directory(path);
}

#endif
