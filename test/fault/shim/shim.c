/* shim.c: libc's calls on files, each under its own name. What is not on the storage root passes straight through. */
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef FICLONE
#define FICLONE _IOW(0x94, 9, int)
#endif
#define API __attribute__((visibility("default")))
#define P(pointer) ((int64_t)(intptr_t)(pointer))

static int64_t pass(long number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f) {
  return shim_result(raw(number, a, b, c, d, e, f));
}

/* --- opening and closing ------------------------------------------------------------------------------------------ */

static int open_any(int dir, const char *path, int flags, mode_t mode) {
  if (!shim_sees_path(dir, path)) return (int)pass(SYS_openat, dir, P(path), flags, mode, 0, 0);
  const bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
  struct call call = {.name = "open", .kind = changes ? kind_name : kind_read, .fd = dir, .path = path, .flags = flags};
  if (shim_enter(&call)) {
    const bool there = (flags & O_CREAT) == 0 || !shim_keeps_data() || shim_inode(dir, path) != 0;
    call.result = raw(SYS_openat, dir, P(path), flags, mode, 0, 0);
    call.created = !there && call.result >= 0;
    if (call.result >= 0) shim_track((int)call.result, shim_way(dir, path));
    if (call.result >= 0 && shim_keeps_data()) call.inode = shim_inode((int)call.result, "");
  }
  return (int)shim_leave(&call);
}

static mode_t mode_of(int flags, va_list rest) {
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return makes ? va_arg(rest, mode_t) : 0;
}

API int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_any(AT_FDCWD, path, flags, mode);
}

API int open64(const char *path, int flags, ...) __attribute__((alias("open")));

API int openat(int dir, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_any(dir, path, flags, mode);
}

API int openat64(int dir, const char *path, int flags, ...) __attribute__((alias("openat")));

/* Not counted: DESIGN's counts leave it out. A rule may name it. Its descriptor is free whatever it answers. */
API int close(int fd) {
  if (!shim_sees(fd)) return (int)pass(SYS_close, fd, 0, 0, 0, 0, 0);
  struct call call = {.name = "close", .kind = kind_uncounted, .fd = fd};
  const bool made = shim_enter(&call);
  shim_track(fd, 0);
  const int64_t result = raw(SYS_close, fd, 0, 0, 0, 0, 0);
  if (made) call.result = result;
  return (int)shim_leave(&call);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

API int mkdirat(int dir, const char *path, mode_t mode) {
  if (!shim_sees_path(dir, path)) return (int)pass(SYS_mkdirat, dir, P(path), mode, 0, 0, 0);
  struct call call = {.name = "mkdir", .kind = kind_name, .fd = dir, .path = path, .flags = (int)mode};
  if (shim_enter(&call)) {
    call.result = raw(SYS_mkdirat, dir, P(path), mode, 0, 0, 0);
    call.created = call.result == 0;
    if (call.created && shim_keeps_data()) call.inode = shim_inode(dir, path);
  }
  return (int)shim_leave(&call);
}

API int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

API int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  if (!shim_sees_path(from_dir, from) && !shim_sees_path(to_dir, to)) {
    return (int)pass(SYS_renameat2, from_dir, P(from), to_dir, P(to), flags, 0);
  }
  struct call call = {
      .name = "rename", .kind = kind_name, .fd = from_dir, .path = from, .fd2 = to_dir, .path2 = to,
      .flags = (int)flags};
  if (shim_enter(&call)) call.result = raw(SYS_renameat2, from_dir, P(from), to_dir, P(to), flags, 0);
  return (int)shim_leave(&call);
}

API int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  return renameat2(from_dir, from, to_dir, to, 0);
}

API int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

API int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  if (!shim_sees_path(from_dir, from) && !shim_sees_path(to_dir, to)) {
    return (int)pass(SYS_linkat, from_dir, P(from), to_dir, P(to), flags, 0);
  }
  struct call call = {
      .name = "link", .kind = kind_name, .fd = from_dir, .path = from, .fd2 = to_dir, .path2 = to, .flags = flags};
  if (shim_enter(&call)) call.result = raw(SYS_linkat, from_dir, P(from), to_dir, P(to), flags, 0);
  return (int)shim_leave(&call);
}

API int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

API int unlinkat(int dir, const char *path, int flags) {
  if (!shim_sees_path(dir, path)) return (int)pass(SYS_unlinkat, dir, P(path), flags, 0, 0, 0);
  const char *name = (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink";
  struct call call = {.name = name, .kind = kind_name, .fd = dir, .path = path, .flags = flags};
  if (shim_enter(&call)) call.result = raw(SYS_unlinkat, dir, P(path), flags, 0, 0, 0);
  return (int)shim_leave(&call);
}

API int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

API int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

/* --- bytes -------------------------------------------------------------------------------------------------------- */

API ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  if (!shim_sees(fd)) return pass(SYS_pwrite64, fd, P(bytes), (int64_t)length, offset, 0, 0);
  struct call call = {
      .name = "write", .kind = kind_data, .fd = fd, .offset = offset, .length = length, .bytes = bytes};
  if (shim_enter(&call)) call.result = raw(SYS_pwrite64, fd, P(bytes), (int64_t)call.length, offset, 0, 0);
  return shim_leave(&call);
}

API ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) __attribute__((alias("pwrite64")));

API ssize_t write(int fd, const void *bytes, size_t length) {
  if (!shim_sees(fd)) return pass(SYS_write, fd, P(bytes), (int64_t)length, 0, 0, 0);
  const int64_t offset = raw(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
  struct call call = {
      .name = "write", .kind = kind_data, .fd = fd, .offset = offset, .length = length, .bytes = bytes};
  if (shim_enter(&call)) call.result = raw(SYS_write, fd, P(bytes), (int64_t)call.length, 0, 0, 0);
  return shim_leave(&call);
}

API ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
  if (!shim_sees(fd)) return pass(SYS_pread64, fd, P(bytes), (int64_t)length, offset, 0, 0);
  struct call call = {.name = "read", .kind = kind_read, .fd = fd, .offset = offset, .length = length};
  if (shim_enter(&call)) call.result = raw(SYS_pread64, fd, P(bytes), (int64_t)call.length, offset, 0, 0);
  return shim_leave(&call);
}

API ssize_t pread(int fd, void *bytes, size_t length, off_t offset) __attribute__((alias("pread64")));

API ssize_t read(int fd, void *bytes, size_t length) {
  if (!shim_sees(fd)) return pass(SYS_read, fd, P(bytes), (int64_t)length, 0, 0, 0);
  struct call call = {.name = "read", .kind = kind_read, .fd = fd, .offset = -1, .length = length};
  if (shim_enter(&call)) call.result = raw(SYS_read, fd, P(bytes), (int64_t)call.length, 0, 0, 0);
  return shim_leave(&call);
}

API int ftruncate64(int fd, off64_t size) {
  if (!shim_sees(fd)) return (int)pass(SYS_ftruncate, fd, size, 0, 0, 0, 0);
  struct call call = {.name = "truncate", .kind = kind_data, .fd = fd, .offset = size};
  if (shim_enter(&call)) call.result = raw(SYS_ftruncate, fd, size, 0, 0, 0, 0);
  return (int)shim_leave(&call);
}

API int ftruncate(int fd, off_t size) __attribute__((alias("ftruncate64")));

/** What a copy is going to write, read from its source through a descriptor of our own; for the data log only. */
static void *bytes_of(int fd, int64_t offset, uint64_t *length) {
  if (!shim_keeps_data()) return NULL;
  char path[64] = "/proc/self/fd/";
  char digits[16];
  int at = 0;
  for (int rest = fd; rest > 0 || at == 0; rest /= 10) digits[at++] = (char)('0' + rest % 10);
  char *out = path + strlen(path);
  while (at > 0) *out++ = digits[--at];
  *out = 0;
  const int64_t own = raw(SYS_openat, AT_FDCWD, P(path), O_RDONLY | O_CLOEXEC, 0, 0, 0);
  char *bytes = own < 0 ? NULL : malloc(*length > 0 ? *length : 1);
  uint64_t done = 0;
  while (bytes != NULL && done < *length) {
    const int64_t got = raw(SYS_pread64, own, P(bytes + done), (int64_t)(*length - done), offset + (int64_t)done, 0, 0);
    if (got <= 0) break;
    done += (uint64_t)got;
  }
  if (own >= 0) (void)raw(SYS_close, own, 0, 0, 0, 0, 0);
  *length = done;
  return bytes;
}

API ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
  if (!shim_sees(to) || from_at == NULL || to_at == NULL) {
    return pass(SYS_copy_file_range, from, P(from_at), to, P(to_at), (int64_t)length, flags);
  }
  uint64_t count = length;
  void *bytes = bytes_of(from, *from_at, &count);
  struct call call = {
      .name = "copy", .kind = kind_data, .fd = to, .fd2 = from, .offset = *to_at, .length = bytes ? count : length,
      .bytes = bytes};
  if (shim_enter(&call)) {
    call.result = raw(SYS_copy_file_range, from, P(from_at), to, P(to_at), (int64_t)call.length, flags);
  }
  free(bytes);
  return shim_leave(&call);
}

API int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  const int64_t argument = va_arg(rest, long);
  va_end(rest);
  if (request != FICLONE || !shim_sees(fd)) return (int)pass(SYS_ioctl, fd, (int64_t)request, argument, 0, 0, 0);
  struct stat st;
  memset(&st, 0, sizeof st);
  if (shim_keeps_data()) (void)raw(SYS_newfstatat, argument, P(""), P(&st), AT_EMPTY_PATH, 0, 0);
  uint64_t count = (uint64_t)st.st_size;
  void *bytes = bytes_of((int)argument, 0, &count);
  struct call call = {
      .name = "clone", .kind = kind_data, .fd = fd, .fd2 = (int)argument, .length = count, .bytes = bytes};
  if (shim_enter(&call)) call.result = raw(SYS_ioctl, fd, (int64_t)request, argument, 0, 0, 0);
  free(bytes);
  return (int)shim_leave(&call);
}

/* --- syncs, locks, looking ---------------------------------------------------------------------------------------- */

static int on_descriptor(const char *name, int kind, long number, int fd, int64_t argument) {
  if (!shim_sees(fd)) return (int)pass(number, fd, argument, 0, 0, 0, 0);
  struct call call = {.name = name, .kind = kind, .fd = fd, .flags = kind == kind_sync ? 0 : (int)argument};
  if (shim_enter(&call)) call.result = raw(number, fd, argument, 0, 0, 0, 0);
  return (int)shim_leave(&call);
}

API int fsync(int fd) { return on_descriptor("fsync", kind_sync, SYS_fsync, fd, 0); }
API int fdatasync(int fd) { return on_descriptor("fdatasync", kind_sync, SYS_fdatasync, fd, 0); }

/* Promises nothing: for the power-loss checker it never was. */
API int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
  if (!shim_sees(fd)) return (int)pass(SYS_sync_file_range, fd, offset, length, flags, 0, 0);
  struct call call = {.name = "writeback", .kind = kind_read, .fd = fd};
  if (shim_enter(&call)) call.result = raw(SYS_sync_file_range, fd, offset, length, flags, 0, 0);
  return (int)shim_leave(&call);
}

API int flock(int fd, int operation) { return on_descriptor("lock", kind_read, SYS_flock, fd, operation); }
API int fchmod(int fd, mode_t mode) { return on_descriptor("chmod", kind_read, SYS_fchmod, fd, mode); }

API int fstatfs64(int fd, struct statfs64 *out) {
  if (!shim_sees(fd)) return (int)pass(SYS_fstatfs, fd, P(out), 0, 0, 0, 0);
  struct call call = {.name = "statfs", .kind = kind_read, .fd = fd};
  if (shim_enter(&call)) call.result = raw(SYS_fstatfs, fd, P(out), 0, 0, 0, 0);
  return (int)shim_leave(&call);
}

API int fstatfs(int fd, struct statfs *out) { return fstatfs64(fd, (struct statfs64 *)out); }

API int statx(int dir, const char *path, int flags, unsigned mask, struct statx *out) {
  // libuv and newer kernels know a path of NULL, which the header rules out.
  const char *volatile given = path;
  const bool itself = (flags & AT_EMPTY_PATH) != 0 && (given == NULL || *given == 0);
  const bool seen = itself ? shim_sees(dir) : shim_sees_path(dir, path);
  if (!seen) return (int)pass(SYS_statx, dir, P(path), flags, mask, P(out), 0);
  struct call call = {.name = "stat", .kind = kind_read, .fd = dir, .path = itself ? NULL : path, .flags = flags};
  if (shim_enter(&call)) call.result = raw(SYS_statx, dir, P(path), flags, mask, P(out), 0);
  return (int)shim_leave(&call);
}

static ssize_t list(int fd, void *out, size_t length) {
  if (!shim_sees(fd)) return pass(SYS_getdents64, fd, P(out), (int64_t)length, 0, 0, 0);
  struct call call = {.name = "list", .kind = kind_read, .fd = fd, .length = length};
  if (shim_enter(&call)) call.result = raw(SYS_getdents64, fd, P(out), (int64_t)length, 0, 0, 0);
  return shim_leave(&call);
}

API ssize_t getdents64(int fd, void *out, size_t length) { return list(fd, out, length); }

/* The addon lists and libuv looks through this. All else passes, with whatever stands in its arguments' places. */
API long syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  int64_t a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_getdents64) return list((int)a[0], (void *)(intptr_t)a[1], (size_t)a[2]);
  if (number == SYS_statx) {
    return statx((int)a[0], (const char *)(intptr_t)a[1], (int)a[2], (unsigned)a[3], (struct statx *)(intptr_t)a[4]);
  }
  return pass(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
