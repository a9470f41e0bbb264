// syscalls.cc: the two loops that move bytes between memory and files.
#include "syscalls.h"

#include <unistd.h>

namespace vast_ost {

namespace {

constexpr size_t sectorBytes = 4096;
// The kernel takes 0x7ffff000 bytes at most; a round number below it keeps what follows aligned.
constexpr size_t callMaxBytes = size_t{1} << 30;

/** Where to go on after a short transfer. Direct I/O cannot begin inside a sector: the sector is done again. */
size_t goOnAt(size_t done, bool direct) { return direct ? done - done % sectorBytes : done; }

size_t least(size_t a, size_t b) { return a < b ? a : b; }

}  // namespace

int64_t writeAll(int fd, bool direct, const uint8_t* bytes, size_t length, int64_t position) {
  size_t done = 0;
  while (done < length) {
    const size_t from = goOnAt(done, direct);
    const size_t count = least(length - from, callMaxBytes);
    const int64_t wrote =
        restarted([&] { return pwrite(fd, bytes + from, count, position + static_cast<int64_t>(from)); });
    if (wrote < 0) return wrote;
    const size_t now = from + static_cast<size_t>(wrote);
    if (now <= done) return -EIO;
    done = now;
  }
  return static_cast<int64_t>(done);
}

int64_t readUpTo(int fd, bool direct, uint8_t* bytes, size_t length, size_t enough, int64_t position) {
  size_t done = 0;
  while (done < enough) {
    const size_t from = goOnAt(done, direct);
    const size_t count = least(length - from, callMaxBytes);
    const int64_t got = restarted([&] { return pread(fd, bytes + from, count, position + static_cast<int64_t>(from)); });
    if (got < 0) return got;
    const size_t now = from + static_cast<size_t>(got);
    if (now <= done) break;  // nothing new: the end of the file
    done = now;
  }
  return static_cast<int64_t>(done);
}

}  // namespace vast_ost
