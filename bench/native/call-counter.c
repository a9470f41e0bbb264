/*
 * call-counter: to be preloaded; counts what a process copies, allocates and asks of the kernel, seen from outside of its
 * own counters. The sums lie in a file, VAST_COUNT_DIR/PID, mapped by the process and read by whoever wants to, at any time:
 *
 *   0      names of the sums, one a line, ended by a NUL
 *   4096   the sums, 64 bits each, in the same order
 *
 * VAST_COUNT_MODULE is a part of a library's path: its calls of malloc and of memcpy are told apart from those of the rest.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <link.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))
#define NAMES_BYTES 4096
#define BIG 16384u /* bytes from which on a copy is one of payload: V8 moves smaller things when it collects */

/* `wakes`: written to eventfds and pipes, which is how threads call each other. `buffered`: through the page cache. */
#define EACH(X) \
  X(copies) X(copied_bytes) X(module_copied_bytes) X(module_allocations) X(pwrites) X(pwritten_bytes) X(preads) \
  X(pread_bytes) X(buffered_bytes) X(sends) X(sent_bytes) X(receives) X(received_bytes) X(wakes) X(polls) X(syncs) \
  X(instructions) X(instructions_refused)
#define AS_ENUM(name) at_##name,
#define AS_LINE(name) #name "\n"
enum { EACH(AS_ENUM) sums_count };

static _Atomic uint64_t nowhere[sums_count];
static _Atomic uint64_t *sums = nowhere; /* until there is a file, and where there is none */
static const char *module_part;
static _Atomic uintptr_t module_from, module_to;
static int instructions_fd = -1;

static void *(*next_memcpy)(void *, const void *, size_t);
static void *(*next_memmove)(void *, const void *, size_t);

/* ---- where it goes ------------------------------------------------------------------------------------------------ */

static void add(int at, uint64_t count) { atomic_fetch_add_explicit(&sums[at], count, memory_order_relaxed); }

static int find_module(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  if (info->dlpi_name == NULL || strstr(info->dlpi_name, module_part) == NULL) return 0;
  uintptr_t from = UINTPTR_MAX, to = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    if (info->dlpi_addr + part->p_vaddr < from) from = info->dlpi_addr + part->p_vaddr;
    if (info->dlpi_addr + part->p_vaddr + part->p_memsz > to) to = info->dlpi_addr + part->p_vaddr + part->p_memsz;
  }
  atomic_store(&module_to, to);
  atomic_store(&module_from, from);
  return 1;
}

/* Looked for with every call of the kernel's until it is there: it is loaded long before the first block. */
static void look_for_module(void) {
  if (module_part != NULL && atomic_load_explicit(&module_from, memory_order_relaxed) == 0) {
    dl_iterate_phdr(find_module, NULL);
  }
}

static int of_module(const void *caller) {
  const uintptr_t from = atomic_load_explicit(&module_from, memory_order_relaxed);
  return from != 0 && (uintptr_t)caller >= from &&
         (uintptr_t)caller < atomic_load_explicit(&module_to, memory_order_relaxed);
}

static void read_instructions(void) {
  uint64_t value;
  if (instructions_fd >= 0 && syscall(SYS_read, instructions_fd, &value, sizeof value) == sizeof value) {
    atomic_store(&sums[at_instructions], value);
  }
}

static void count_instructions(void) {
  struct perf_event_attr what = {
      .type = PERF_TYPE_HARDWARE, .size = sizeof what, .config = PERF_COUNT_HW_INSTRUCTIONS, .inherit = 1,
      .exclude_kernel = 1, .exclude_hv = 1};
  instructions_fd = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (instructions_fd < 0) atomic_store(&sums[at_instructions_refused], (uint64_t)errno);
}

__attribute__((constructor(101))) static void begin(void) {
  next_memcpy = (void *(*)(void *, const void *, size_t))dlsym(RTLD_NEXT, "memcpy");
  next_memmove = (void *(*)(void *, const void *, size_t))dlsym(RTLD_NEXT, "memmove");
  const char *directory = getenv("VAST_COUNT_DIR");
  if (directory == NULL) return;
  module_part = getenv("VAST_COUNT_MODULE");
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%d", directory, (int)getpid()) >= (int)sizeof path) return;
  const size_t bytes = NAMES_BYTES + sizeof nowhere;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  static const char names[] = EACH(AS_LINE);
  _Static_assert(sizeof names <= NAMES_BYTES, "the names have room");
  void *there = ftruncate(fd, (off_t)bytes) == 0 ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  close(fd);
  if (there == MAP_FAILED) return;
  for (size_t i = 0; i < sizeof names; i++) ((char *)there)[i] = names[i];
  sums = (_Atomic uint64_t *)((char *)there + NAMES_BYTES);
  count_instructions();
}

__attribute__((destructor)) static void end(void) { read_instructions(); }

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* Set in a copy that was counted as a whole. Its place is known from the start: finding it must not allocate. */
static _Thread_local int counted_whole __attribute__((tls_model("initial-exec")));

static void copied(size_t length, const void *caller) {
  if (length < BIG || counted_whole) return;
  add(at_copies, 1);
  add(at_copied_bytes, length);
  if (of_module(caller)) add(at_module_copied_bytes, length);
}

/* Of copy-seam, for copies that are no call of libc. */
API void vast_count_copy_begins(size_t length) {
  add(at_copies, 1);
  add(at_copied_bytes, length);
  add(at_module_copied_bytes, length);
  counted_whole = 1;
}
API void vast_count_copy_ends(void) { counted_whole = 0; }

API void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  copied(length, __builtin_return_address(0));
  if (next_memcpy != NULL) return next_memcpy(to, from, length);
  for (size_t i = 0; i < length; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

API void *memmove(void *to, const void *from, size_t length) {
  copied(length, __builtin_return_address(0));
  if (next_memmove != NULL) return next_memmove(to, from, length);
  if ((uintptr_t)to - (uintptr_t)from >= length) {
    for (size_t i = 0; i < length; i++) ((char *)to)[i] = ((const char *)from)[i];
  } else {
    for (size_t i = length; i > 0; i--) ((char *)to)[i - 1] = ((const char *)from)[i - 1];
  }
  return to;
}

API void *__memcpy_chk(void *to, const void *from, size_t length, size_t room) {
  if (length > room) abort();
  copied(length, __builtin_return_address(0));
  return next_memcpy(to, from, length);
}

/* glibc's own names: dlsym allocates, and could not be asked for the next malloc from within malloc. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void allocated(const void *caller) {
  if (of_module(caller)) add(at_module_allocations, 1);
}

API void *malloc(size_t length) {
  allocated(__builtin_return_address(0));
  return __libc_malloc(length);
}

API void *calloc(size_t count, size_t length) {
  allocated(__builtin_return_address(0));
  return __libc_calloc(count, length);
}

API void *realloc(void *old, size_t length) {
  allocated(__builtin_return_address(0));
  return __libc_realloc(old, length);
}

API void *aligned_alloc(size_t align, size_t length) {
  allocated(__builtin_return_address(0));
  return __libc_memalign(align, length);
}

API int posix_memalign(void **out, size_t align, size_t length) {
  allocated(__builtin_return_address(0));
  *out = __libc_memalign(align, length);
  return *out == NULL ? ENOMEM : 0;
}

/* ---- the kernel ----------------------------------------------------------------------------------------------------- */



/* Calls with a position are of files alone; `moved` is what came back. */
static ssize_t positioned(int fd, int calls, int bytes, ssize_t moved) {
  const int error = errno;
  look_for_module();
  add(calls, 1);
  if (moved > 0) {
    add(bytes, (uint64_t)moved);
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_DIRECT)) add(at_buffered_bytes, (uint64_t)moved);
  }
  errno = error;
  return moved;
}

/* read, write and the like: of a socket, a file, or of what wakes a thread. */
static ssize_t streamed(int fd, int writes, ssize_t moved) {
  const int error = errno;
  look_for_module();
  struct stat what;
  if (fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode)) {
    add(writes ? at_sends : at_receives, 1);
    if (moved > 0) add(writes ? at_sent_bytes : at_received_bytes, (uint64_t)moved);
    if (writes) read_instructions();
  } else if (S_ISREG(what.st_mode)) {
    add(writes ? at_pwrites : at_preads, 1);
    if (moved > 0) add(writes ? at_pwritten_bytes : at_pread_bytes, (uint64_t)moved);
    if (moved > 0) add(at_buffered_bytes, (uint64_t)moved);
  } else if (writes) {
    add(at_wakes, 1);
  }
  errno = error;
  return moved;
}

#define NEXT(result, name, ...) \
  static result (*_Atomic next)(__VA_ARGS__); \
  if (next == NULL) next = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

API ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
  return positioned(fd, at_pwrites, at_pwritten_bytes, next(fd, bytes, length, at));
}
API ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) __attribute__((alias("pwrite")));

API ssize_t pread(int fd, void *bytes, size_t length, off_t at) {
  NEXT(ssize_t, pread, int, void *, size_t, off_t);
  return positioned(fd, at_preads, at_pread_bytes, next(fd, bytes, length, at));
}
API ssize_t pread64(int fd, void *bytes, size_t length, off64_t at) __attribute__((alias("pread")));

API ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  NEXT(ssize_t, pwritev, int, const struct iovec *, int, off_t);
  return positioned(fd, at_pwrites, at_pwritten_bytes, next(fd, parts, count, at));
}
API ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) __attribute__((alias("pwritev")));

API ssize_t preadv(int fd, const struct iovec *parts, int count, off_t at) {
  NEXT(ssize_t, preadv, int, const struct iovec *, int, off_t);
  return positioned(fd, at_preads, at_pread_bytes, next(fd, parts, count, at));
}
API ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t at) __attribute__((alias("preadv")));

API ssize_t write(int fd, const void *bytes, size_t length) {
  NEXT(ssize_t, write, int, const void *, size_t);
  return streamed(fd, 1, next(fd, bytes, length));
}

API ssize_t writev(int fd, const struct iovec *parts, int count) {
  NEXT(ssize_t, writev, int, const struct iovec *, int);
  return streamed(fd, 1, next(fd, parts, count));
}

API ssize_t read(int fd, void *bytes, size_t length) {
  NEXT(ssize_t, read, int, void *, size_t);
  return streamed(fd, 0, next(fd, bytes, length));
}

API ssize_t readv(int fd, const struct iovec *parts, int count) {
  NEXT(ssize_t, readv, int, const struct iovec *, int);
  return streamed(fd, 0, next(fd, parts, count));
}

API ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  NEXT(ssize_t, sendmsg, int, const struct msghdr *, int);
  return streamed(fd, 1, next(fd, message, flags));
}

API ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  NEXT(ssize_t, send, int, const void *, size_t, int);
  return streamed(fd, 1, next(fd, bytes, length, flags));
}

API ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  NEXT(ssize_t, recvmsg, int, struct msghdr *, int);
  return streamed(fd, 0, next(fd, message, flags));
}

API ssize_t recv(int fd, void *bytes, size_t length, int flags) {
  NEXT(ssize_t, recv, int, void *, size_t, int);
  return streamed(fd, 0, next(fd, bytes, length, flags));
}

API ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
  NEXT(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
  return positioned(to, at_pwrites, at_pwritten_bytes, next(from, from_at, to, to_at, length, flags));
}

API int poll(struct pollfd *entries, nfds_t count, int ms) {
  NEXT(int, poll, struct pollfd *, nfds_t, int);
  add(at_polls, 1);
  return next(entries, count, ms);
}

API int epoll_pwait(int fd, struct epoll_event *events, int count, int ms, const sigset_t *mask) {
  NEXT(int, epoll_pwait, int, struct epoll_event *, int, int, const sigset_t *);
  add(at_polls, 1);
  return next(fd, events, count, ms, mask);
}

API int epoll_wait(int fd, struct epoll_event *events, int count, int ms) {
  NEXT(int, epoll_wait, int, struct epoll_event *, int, int);
  add(at_polls, 1);
  return next(fd, events, count, ms);
}

API int fsync(int fd) {
  NEXT(int, fsync, int);
  add(at_syncs, 1);
  return next(fd);
}

API int fdatasync(int fd) {
  NEXT(int, fdatasync, int);
  add(at_syncs, 1);
  return next(fd);
}
