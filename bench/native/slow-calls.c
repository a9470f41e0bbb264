/*
 * slow-calls: to be preloaded; each call on files takes VAST_BENCH_SLOW_US microseconds longer, as on storage behind a
 * network: open and stat relative to a directory, pread, getdents64. The engine reaches its store by these; programs and
 * libraries are opened by whole paths, and are not slowed. close is not: NFS sends it without waiting; nor is a pread at the
 * end of a file: NFS answers it from the size that it knows.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

static long slow_ns;

__attribute__((constructor)) static void read_setting(void) {
  const char *text = getenv("VAST_BENCH_SLOW_US");
  slow_ns = text == NULL ? 0 : atol(text) * 1000;
}

static void wait_a_little(void) {
  static _Thread_local int exact;
  if (slow_ns <= 0) return;
  if (!exact) prctl(PR_SET_TIMERSLACK, 1); /* else sleeps last 50 µs longer */
  exact = 1;
  struct timespec left = {.tv_sec = slow_ns / 1000000000, .tv_nsec = slow_ns % 1000000000};
  const int error = errno;
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
  errno = error;
}

/* libc's own syscall(), which sets errno; this library's name for it hides it. */
static long raw(long number, long a, long b, long c, long d, long e, long f) {
  static long (*_Atomic next)(long, ...);
  if (next == NULL) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  return next(number, a, b, c, d, e, f);
}

API int openat(int dir, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (dir != AT_FDCWD) wait_a_little();
  return (int)raw(SYS_openat, dir, (long)path, flags, mode, 0, 0);
}

API int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));

API int statx(int dir, const char *path, int flags, unsigned mask, struct statx *out) {
  if (dir != AT_FDCWD) wait_a_little();
  return (int)raw(SYS_statx, dir, (long)path, flags, mask, (long)out, 0);
}

API ssize_t pread(int fd, void *bytes, size_t length, off_t at) {
  const long result = raw(SYS_pread64, fd, (long)bytes, (long)length, at, 0, 0);
  if (result > 0) wait_a_little();
  return result;
}

API ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) __attribute__((alias("pread")));

/* getdents64 came late into libc: it is called through this. All else passes, with whatever its arguments are. */
API long syscall(long number, ...) {
  va_list rest;
  long a[6];
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_getdents64 || (number == SYS_statx && (int)a[0] != AT_FDCWD)) wait_a_little();
  return raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
