// faults.cc: stands between the addon's parts and libc (linked with --wrap).
#include "faults.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>

#include "check.h"

namespace harness {

namespace {

constexpr size_t outcomesMax = 16;

struct Script {
  Outcome outcomes[outcomesMax];
  size_t count;
  size_t calls;
  int64_t offsets[outcomesMax];
};
thread_local Script scripts[callKinds];
std::atomic<int (*)()> pollHook{nullptr};

Outcome next(Call call, int64_t offset = 0) {
  Script& script = scripts[static_cast<size_t>(call)];
  const size_t index = script.calls++;
  if (index < outcomesMax) script.offsets[index] = offset;
  return index < script.count ? script.outcomes[index] : passes();
}

/** Plays the outcome; `real` gets the number of bytes that it may move. */
template <class Real>
auto play(const Outcome& outcome, size_t length, Real real) -> decltype(real(length)) {
  switch (outcome.kind) {
    case Outcome::fail:
      errno = static_cast<int>(outcome.amount);
      return -1;
    case Outcome::answer:
      return static_cast<decltype(real(length))>(outcome.amount);
    case Outcome::atMost:
      return real(length < static_cast<size_t>(outcome.amount) ? length : static_cast<size_t>(outcome.amount));
    case Outcome::pass:
      break;
  }
  return real(length);
}

}  // namespace

void script(Call call, const Outcome* outcomes, size_t count) {
  TRUE(count <= outcomesMax);
  Script& script = scripts[static_cast<size_t>(call)];
  script.calls = 0;
  script.count = count;
  for (size_t i = 0; i < count; ++i) script.outcomes[i] = outcomes[i];
}

void hookPoll(int (*hook)()) { pollHook.store(hook); }
int hookedPoll() {
  int (*const hook)() = pollHook.load();
  return hook == nullptr ? pollPasses : hook();
}

size_t callsMade(Call call) { return scripts[static_cast<size_t>(call)].calls; }
int64_t callOffset(Call call, size_t index) { return scripts[static_cast<size_t>(call)].offsets[index]; }

}  // namespace harness

using harness::Call;
using harness::next;
using harness::play;

extern "C" {
int __real_openat64(int dir, const char* path, int flags, ...);
ssize_t __real_pwrite64(int fd, const void* bytes, size_t length, off_t offset);
ssize_t __real_pread64(int fd, void* bytes, size_t length, off_t offset);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate64(int fd, off_t size);
int __real_close(int fd);
ssize_t __real_copy_file_range(int in, off64_t* inAt, int out, off64_t* outAt, size_t length, unsigned flags);
ssize_t __real_sendmsg(int socket, const struct msghdr* message, int flags);
ssize_t __real_send(int socket, const void* bytes, size_t length, int flags);
int __real_poll(struct pollfd* waits, nfds_t count, int timeoutMs);
int __real_memfd_create(const char* name, unsigned flags);
int __real_madvise(void* from, size_t length, int advice);

int __wrap_openat64(int dir, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  // Direct I/O is only pretended: then short transfers may have any length, on any file system.
  return play(next(Call::openat), 0, [&](size_t) { return __real_openat64(dir, path, flags & ~O_DIRECT, mode); });
}
ssize_t __wrap_pwrite64(int fd, const void* bytes, size_t length, off_t offset) {
  return play(next(Call::pwrite, offset), length, [&](size_t n) { return __real_pwrite64(fd, bytes, n, offset); });
}
ssize_t __wrap_pread64(int fd, void* bytes, size_t length, off_t offset) {
  return play(next(Call::pread, offset), length, [&](size_t n) { return __real_pread64(fd, bytes, n, offset); });
}
int __wrap_fsync(int fd) {
  return play(next(Call::fsync), 0, [&](size_t) { return __real_fsync(fd); });
}
int __wrap_fdatasync(int fd) {
  return play(next(Call::fdatasync), 0, [&](size_t) { return __real_fdatasync(fd); });
}
int __wrap_ftruncate64(int fd, off_t size) {
  return play(next(Call::ftruncate, size), 0, [&](size_t) { return __real_ftruncate64(fd, size); });
}
int __wrap_close(int fd) {
  // The descriptor is freed whatever close says: as on Linux.
  const harness::Outcome outcome = next(Call::close);
  const int result = __real_close(fd);
  return play(outcome, 0, [&](size_t) { return result; });
}
ssize_t __wrap_copy_file_range(int in, off64_t* inAt, int out, off64_t* outAt, size_t length, unsigned flags) {
  return play(next(Call::copyFileRange, *inAt), length,
              [&](size_t n) { return __real_copy_file_range(in, inAt, out, outAt, n, flags); });
}
ssize_t __wrap_sendmsg(int socket, const struct msghdr* message, int flags) {
  return play(next(Call::sendmsg), message->msg_iov->iov_len, [&](size_t n) {
    struct iovec vector = {message->msg_iov->iov_base, n};
    struct msghdr shorter = *message;
    shorter.msg_iov = &vector;
    return __real_sendmsg(socket, &shorter, flags);
  });
}
ssize_t __wrap_send(int socket, const void* bytes, size_t length, int flags) {
  return play(next(Call::send), length, [&](size_t n) { return __real_send(socket, bytes, n, flags); });
}
int __wrap_poll(struct pollfd* waits, nfds_t count, int timeoutMs) {
  const int result = waits->events == POLLOUT ? harness::hookedPoll() : harness::pollPasses;
  return result == harness::pollPasses ? __real_poll(waits, count, timeoutMs) : result;
}
int __wrap_memfd_create(const char* name, unsigned flags) {
  return play(next(Call::memfd), 0, [&](size_t) { return __real_memfd_create(name, flags); });
}
int __wrap_madvise(void* from, size_t length, int advice) {
  return play(next(Call::madvise, advice), 0, [&](size_t) { return __real_madvise(from, length, advice); });
}
}
