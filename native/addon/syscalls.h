// syscalls.h: system calls carried to their end: EINTR restarted, short transfers continued.
#ifndef VAST_OST_SYSCALLS_H
#define VAST_OST_SYSCALLS_H

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace vast_ost {

/** Calls until it is not interrupted. The call's result, or −errno. */
template <class Call>
int64_t restarted(Call call) {
  for (;;) {
    const int64_t result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

/** `direct`: opened with O_DIRECT. pwrite until all is written: length, or −errno; −EIO when a write makes no progress. */
int64_t writeAll(int fd, bool direct, const uint8_t* bytes, size_t length, int64_t position);

/** pread of up to `length` bytes until at least `enough` of them or the end of the file. The count, or −errno. */
int64_t readUpTo(int fd, bool direct, uint8_t* bytes, size_t length, size_t enough, int64_t position);

}  // namespace vast_ost

#endif
