#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

int __real_poll(struct pollfd *entries, nfds_t count, int timeout_ms);
int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __real_nanosleep(const struct timespec *length, struct timespec *left);
int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);

int __real_socket(int domain, int type, int protocol);
void *__real_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int __real_madvise(void *address, size_t length, int advice);
int __real_mincore(void *address, size_t length, unsigned char *seen);
long __real_syscall(long number, ...);

int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout_ms);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *length, struct timespec *left);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_socket(int domain, int type, int protocol);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int __wrap_madvise(void *address, size_t length, int advice);
int __wrap_mincore(void *address, size_t length, unsigned char *seen);
long __wrap_syscall(long number, ...);

static _Thread_local enum shim_mode mode;
static _Thread_local uint64_t calls;
static _Thread_local bool standing;
static _Thread_local uint64_t now_ns;
static _Thread_local unsigned sleeps;
static _Thread_local void (*sleeper)(unsigned sleeps);
static int time_pipe[2] = {-1, -1};
static int taken_pipe[2]; /* the answer: that time has passed */

static _Thread_local int failures[SHIM_CALLS];
static _Thread_local bool swapped;

#define START_NS UINT64_C(5000000000)

void shim_mode(enum shim_mode new_mode) {
  mode = new_mode;
  calls = 0;
}

uint64_t shim_calls(void) { return calls; }

void shim_clock_start(void (*on_sleep)(unsigned sleeps)) {
  if (time_pipe[0] < 0) CHECK_NUM(pipe(time_pipe) + pipe(taken_pipe), 0);
  standing = true;
  now_ns = START_NS;
  sleeps = 0;
  sleeper = on_sleep;
}

void shim_clock_stop(void) { standing = false; }

uint64_t shim_clock_ms(void) { return (now_ns - START_NS) / 1000000; }

void shim_pass(uint32_t ms) {
  char taken;
  CHECK_NUM(write(time_pipe[1], &ms, sizeof ms), sizeof ms);
  CHECK_NUM(read(taken_pipe[0], &taken, 1), 1);
}

void shim_fail(enum shim_call call, int error) { failures[call] = error; }

void shim_swapped(bool on) { swapped = on; }

/* True when this call is to fail. */
static bool fails(enum shim_call call) {
  if (!failures[call]) return false;
  errno = failures[call];
  failures[call] = 0;
  return true;
}

/* True when this call is to be interrupted. */
static bool interrupted(void) {
  calls++;
  if ((mode == SHIM_EINTR && calls % 2 == 1) || (mode == SHIM_BYTES && calls % 3 == 0)) {
    errno = EINTR;
    return true;
  }
  return false;
}

int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout_ms) {
  if (interrupted()) return -1;
  if (!standing) return __real_poll(entries, count, timeout_ms);
  CHECK_NUM(count, 1);
  uint64_t left_ms = (uint64_t)timeout_ms;
  for (;;) {
    struct pollfd both[2] = {entries[0], {time_pipe[0], POLLIN, 0}};
    CHECK(__real_poll(both, 2, -1) > 0);
    /* what was sent before is there by now, though the poll may have looked too early */
    if (!both[0].revents) CHECK(__real_poll(both, 1, 0) >= 0);
    entries[0].revents = both[0].revents;
    if (both[0].revents) return 1;
    uint32_t ms;
    CHECK_NUM(read(time_pipe[0], &ms, sizeof ms), sizeof ms);
    now_ns += ms * UINT64_C(1000000);
    CHECK_NUM(write(taken_pipe[1], "", 1), 1);
    if (ms >= left_ms) return 0;
    left_ms -= ms;
  }
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out) {
  if (!standing) return __real_clock_gettime(clock, out);
  *out = (struct timespec){(time_t)(now_ns / 1000000000), (long)(now_ns % 1000000000)};
  return 0;
}

int __wrap_nanosleep(const struct timespec *length, struct timespec *left) {
  if (interrupted()) return -1;
  if (!standing) return __real_nanosleep(length, left);
  now_ns += (uint64_t)length->tv_sec * 1000000000 + (uint64_t)length->tv_nsec;
  if (sleeper) sleeper(++sleeps);
  return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length) {
  return interrupted() || fails(SHIM_CONNECT) ? -1 : __real_connect(fd, address, length);
}

int __wrap_socket(int domain, int type, int protocol) {
  return fails(SHIM_SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  return fails(SHIM_MMAP) ? MAP_FAILED : __real_mmap(address, length, protection, flags, fd, offset);
}

int __wrap_madvise(void *address, size_t length, int advice) {
  return fails(SHIM_MADVISE) ? -1 : __real_madvise(address, length, advice);
}

int __wrap_mincore(void *address, size_t length, unsigned char *seen) {
  if (!swapped) return __real_mincore(address, length, seen);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  memset(seen, 0, (length + page - 1) / page);
  return 0;
}

long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long); /* none here has more */
  va_end(list);
  return fails(SHIM_SYSCALL) ? -1 : __real_syscall(number, a, b, c);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags) {
  CHECK(flags & MSG_CMSG_CLOEXEC); /* no program that another thread starts may inherit an arena */
  if (interrupted()) return -1;
  if (mode != SHIM_BYTES) return __real_recvmsg(fd, message, flags);
  size_t whole = message->msg_iov[0].iov_len;
  message->msg_iov[0].iov_len = 1;
  ssize_t got = __real_recvmsg(fd, message, flags);
  message->msg_iov[0].iov_len = whole;
  return got;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
  CHECK(flags & MSG_NOSIGNAL); /* no SIGPIPE in the host program */
  if (interrupted()) return -1;
  if (mode != SHIM_BYTES) return __real_sendmsg(fd, message, flags);
  struct iovec one = {message->msg_iov[0].iov_base, 1};
  struct msghdr part = *message;
  part.msg_iov = &one;
  part.msg_iovlen = 1;
  return __real_sendmsg(fd, &part, flags);
}
