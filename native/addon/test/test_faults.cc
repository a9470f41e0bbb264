// test_faults.cc: every short, interrupted or failing system call ends in the right result and the right bytes.
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "../arena.h"
#include "../crc64.h"
#include "../digest.h"
#include "../direct_io.h"
#include "../files.h"
#include "check.h"
#include "faults.h"

using namespace vast_ost;

namespace harness {

namespace {

constexpr size_t blockBytes = 256 * 1024;

struct Fixture {
  int32_t dir;
  int32_t file;
  int32_t arena;
  uint8_t bytes[blockBytes];
  uint8_t back[2 * blockBytes];

  Fixture(const Setting& setting, int flags) : dir(setting.dir) {
    const int64_t opened = openFile(dir, "faults", O_RDWR | O_CREAT | O_TRUNC | flags, 0640);
    TRUE(opened > 0);
    file = static_cast<int32_t>(opened);
    const int64_t made = arenaOpen(2 * blockBytes);
    TRUE(made > 0);
    arena = static_cast<int32_t>(made);
    Random(setting.seed).fill(bytes, blockBytes);
    EQUAL(arenaPoke(arena, 0, bytes, blockBytes), blockBytes);
  }
  ~Fixture() {
    EQUAL(closeFile(file), 0);
    EQUAL(arenaClose(arena), 0);
    EQUAL(unlinkFile(dir, "faults", 0), 0);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  void isStored(size_t length) {
    EQUAL(readBytes(file, back, sizeof back, 0), length);
    EQUAL(memcmp(back, bytes, length), 0);
  }
};

void shortWrites(const Setting& setting, int flags) {
  const bool direct = (flags & O_DIRECT) != 0;
  Fixture f(setting, flags);
  script(Call::pwrite, {fails(EINTR), atMost(8192), fails(EINTR), fails(EINTR), atMost(10000), passes()});
  EQUAL(writeSlot(f.file, f.arena, 0, blockBytes, 0), blockBytes);
  EQUAL(callsMade(Call::pwrite), 6);
  EQUAL(callOffset(Call::pwrite, 2), 8192);
  // 18,192 bytes are written: direct I/O begins its sector again, buffered goes on where it was.
  EQUAL(callOffset(Call::pwrite, 5), direct ? 16384 : 18192);
  f.isStored(blockBytes);

  script(Call::pwrite, {atMost(4096), answers(0)});
  EQUAL(writeSlot(f.file, f.arena, 0, blockBytes, 0), -EIO);
  EQUAL(callsMade(Call::pwrite), 2);
  script(Call::pwrite, {atMost(4096), fails(ENOSPC)});
  EQUAL(writeSlot(f.file, f.arena, 0, blockBytes, 0), -ENOSPC);
  script(Call::pwrite, {atMost(100), atMost(100)});
  EQUAL(writeSlot(f.file, f.arena, 0, 4096, 0), direct ? -EIO : 4096);  // no sector ever comes to its end
  script(Call::pwrite, {atMost(1), fails(EINTR), atMost(1), fails(EDQUOT)});
  EQUAL(writeBytes(f.file, f.bytes, 100, 0), direct ? -EIO : -EDQUOT);
  script(Call::pwrite, nullptr, 0);
}

void shortReads(const Setting& setting, int flags) {
  const bool direct = (flags & O_DIRECT) != 0;
  Fixture f(setting, flags);
  EQUAL(writeSlot(f.file, f.arena, 0, blockBytes, 0), blockBytes);
  script(Call::pread, {fails(EINTR), atMost(5000), atMost(4096), fails(EINTR)});
  EQUAL(readSlot(f.file, f.arena, blockBytes, blockBytes, 0), blockBytes);
  EQUAL(callOffset(Call::pread, 2), direct ? 4096 : 5000);
  EQUAL(arenaPeek(f.arena, blockBytes, f.back, blockBytes), blockBytes);
  EQUAL(memcmp(f.back, f.bytes, blockBytes), 0);

  script(Call::pread, {atMost(4096), fails(EIO)});
  EQUAL(readSlot(f.file, f.arena, blockBytes, blockBytes, 0), -EIO);
  script(Call::pread, {atMost(4096), answers(0)});
  EQUAL(readSlot(f.file, f.arena, blockBytes, blockBytes, 0), 4096);
  script(Call::pread, nullptr, 0);

  const uint64_t expect[] = {blockBytes, crc64_update(0, f.bytes, blockBytes)};
  script(Call::pread, {atMost(12345), fails(EINTR), atMost(4096)});
  EQUAL(digestFile(f.file, 0, blockBytes, expect, 1, 0), 1);
  script(Call::pread, {atMost(12345), fails(EIO)});
  EQUAL(digestFile(f.file, 0, blockBytes, expect, 1, 0), -EIO);
  script(Call::pread, {atMost(12345), answers(0)});
  EQUAL(digestFile(f.file, 0, blockBytes, expect, 1, 0), -ENODATA);
  uint64_t crc = 0;
  const uint64_t cut[] = {0, 1};
  script(Call::pread, {fails(EIO)});
  EQUAL(splitPiece(f.file, 0, blockBytes, expect[1], cut, 1, &crc), -EIO);
  script(Call::pread, nullptr, 0);
}

void edges(const Setting& setting) {
  Fixture f(setting, O_DIRECT);
  EQUAL(writeSlot(f.file, f.arena, 0, blockBytes, 0), blockBytes);
  // Both ends are odd: two sectors are read before anything is written, and a read that fails writes nothing.
  script(Call::pread, {passes(), fails(EIO)});
  script(Call::pwrite, nullptr, 0);
  EQUAL(writeEdge(f.file, f.arena, 100, 10000, 5000, 4096), -EIO);
  EQUAL(callOffset(Call::pread, 0), 4096);
  EQUAL(callOffset(Call::pread, 1), 12288);
  EQUAL(callsMade(Call::pwrite), 0);
  f.isStored(blockBytes);
  // One sector at both ends is read once; aligned ends are not read at all.
  script(Call::pread, nullptr, 0);
  EQUAL(writeEdge(f.file, f.arena, 5000, 100, 5000, 4096), 100);
  EQUAL(callsMade(Call::pread), 1);
  script(Call::pread, nullptr, 0);
  EQUAL(writeEdge(f.file, f.arena, 4096, 8192, 4096, 4096), 8192);
  EQUAL(callsMade(Call::pread), 0);
  f.isStored(blockBytes);
  script(Call::pwrite, {fails(EINTR), atMost(4096), fails(ENOSPC)});
  EQUAL(writeEdge(f.file, f.arena, 5000, 9000, 5000, 4096), -ENOSPC);
  f.isStored(blockBytes);
}

void smallCalls(const Setting& setting) {
  Fixture f(setting, 0);
  // A sync is never tried again, not even an interrupted one.
  for (const int error : {EINTR, EIO, ENOSPC}) {
    script(Call::fsync, {fails(error)});
    EQUAL(syncFile(f.file), -error);
    EQUAL(callsMade(Call::fsync), 1);
    script(Call::fdatasync, {fails(error)});
    EQUAL(syncData(f.file), -error);
    EQUAL(callsMade(Call::fdatasync), 1);
  }
  script(Call::ftruncate, {fails(EINTR), fails(EINTR), fails(EFBIG)});
  EQUAL(truncateFile(f.file, 5), -EFBIG);
  EQUAL(callsMade(Call::ftruncate), 3);
  script(Call::openat, {fails(EINTR), passes()});
  const int64_t again = openFile(f.dir, "faults", O_RDONLY, 0);
  TRUE(again > 0);
  EQUAL(callsMade(Call::openat), 2);
  // A late write error of NFS comes with close; an interrupted close has closed.
  script(Call::close, {fails(EIO)});
  EQUAL(closeFile(static_cast<int32_t>(again)), -EIO);
  EQUAL(closeFile(static_cast<int32_t>(again)), -EBADF);
  const int64_t third = openFile(f.dir, "faults", O_RDONLY, 0);
  script(Call::close, {fails(EINTR)});
  EQUAL(closeFile(static_cast<int32_t>(third)), 0);
  EQUAL(callsMade(Call::close), 1);
  script(Call::openat, {fails(EMFILE)});
  EQUAL(openFile(f.dir, "faults", O_RDONLY, 0), -EMFILE);
}

void copies(const Setting& setting) {
  Fixture f(setting, 0);
  EQUAL(writeSlot(f.file, f.arena, 0, blockBytes, 0), blockBytes);
  const int64_t to = openFile(f.dir, "copy", O_RDWR | O_CREAT | O_TRUNC, 0640);
  TRUE(to > 0);
  const auto target = static_cast<int32_t>(to);
  script(Call::copyFileRange, {fails(EINTR), atMost(1000), fails(EINTR), atMost(70000)});
  EQUAL(copyRange(target, f.file, 0, blockBytes), blockBytes);
  EQUAL(callOffset(Call::copyFileRange, 3), 1000);
  EQUAL(readBytes(target, f.back, sizeof f.back, 0), blockBytes);
  EQUAL(memcmp(f.back, f.bytes, blockBytes), 0);
  script(Call::copyFileRange, {atMost(1000), answers(0)});
  EQUAL(copyRange(target, f.file, 0, blockBytes), 1000);
  script(Call::copyFileRange, {atMost(1000), fails(EXDEV)});
  EQUAL(copyRange(target, f.file, 0, blockBytes), -EXDEV);
  EQUAL(closeFile(target), 0);
  EQUAL(unlinkFile(f.dir, "copy", 0), 0);
}

constexpr int64_t populateAdvice = 23;  // MADV_POPULATE_WRITE
constexpr int64_t collapseAdvice = 25;  // MADV_COLLAPSE

void arenas() {
  // A kernel before 6.3 refuses MFD_NOEXEC_SEAL; one before 5.14 refuses MADV_POPULATE_WRITE.
  script(Call::memfd, {fails(EINVAL), passes()});
  const int64_t id = arenaOpen(16 << 20);
  TRUE(id > 0);
  EQUAL(callsMade(Call::memfd), 2);
  const auto arena = static_cast<int32_t>(id);
  const uint8_t mark = 0x5a;
  EQUAL(arenaPoke(arena, 9 << 20, &mark, 1), 1);
  // Huge pages that are not to be had are small ones; a kernel before 6.1 refuses MADV_COLLAPSE, and is asked once.
  pretendPopulate(true, true);
  script(Call::madvise, {fails(ENOMEM)});
  EQUAL(arenaPopulate(arena, 1 << 20, 5 << 20), 0);
  EQUAL(callsMade(Call::madvise), 3);
  EQUAL(callOffset(Call::madvise, 0), collapseAdvice);
  EQUAL(callOffset(Call::madvise, 1), populateAdvice);
  script(Call::madvise, nullptr, 0);
  EQUAL(arenaMakeHuge(arena, 0, 10 << 20), 0);  // somebody has touched the first and the last, two were tried
  EQUAL(callsMade(Call::madvise), 1);
  EQUAL(arenaMakeHuge(arena, 0, 10 << 20), 0);
  EQUAL(arenaMakeHuge(arena, (10 << 20) + 4096, (4 << 20) - 8192), 0);  // no whole one fits
  EQUAL(callsMade(Call::madvise), 1);
  EQUAL(arenaMakeHuge(arena, 15 << 20, 2 << 20), -EFAULT);
  script(Call::madvise, {fails(EINVAL)});
  EQUAL(arenaMakeHuge(arena, 10 << 20, 2 << 20), 0);
  EQUAL(arenaMakeHuge(arena, 12 << 20, 2 << 20), 0);
  EQUAL(callsMade(Call::madvise), 1);
  pretendPopulate(true, false);
  script(Call::madvise, {fails(EINVAL)});
  EQUAL(arenaPopulate(arena, 0, 16 << 20), 0);
  EQUAL(callsMade(Call::madvise), 1);  // asked once, then touched
  script(Call::madvise, {passes(), fails(ENOMEM)});
  EQUAL(arenaPopulate(arena, 0, 16 << 20), -ENOMEM);
  uint8_t seen = 0;
  EQUAL(arenaPeek(arena, 9 << 20, &seen, 1), 1);
  EQUAL(seen, mark);
  script(Call::madvise, nullptr, 0);
  pretendPopulate(true, true);
  {
    const Ref<Arena> used = getArena(arena);
    EQUAL(arenaRenew(arena), -EBUSY);
  }
  const auto renewed = static_cast<int32_t>(arenaRenew(arena));
  TRUE(renewed > 0 && renewed != arena);
  EQUAL(arenaPeek(arena, 9 << 20, &seen, 1), -EBADF);
  EQUAL(arenaRenew(arena), -EBADF);
  EQUAL(arenaPeek(renewed, 9 << 20, &seen, 1), 1);
  EQUAL(seen, mark);
  EQUAL(arenaClose(renewed), 0);
  const int64_t live = Arena::live.load();
  script(Call::memfd, {fails(ENFILE)});
  EQUAL(arenaOpen(4096), -ENFILE);
  script(Call::ftruncate, {fails(ENOSPC)});
  EQUAL(arenaOpen(4096), -ENOSPC);
  script(Call::madvise, {fails(EINVAL)});
  EQUAL(arenaOpen(4096), -EINVAL);
  EQUAL(Arena::live.load(), live);
}

}  // namespace

void testFaults(const Setting& setting) {
  for (const int flags : {0, O_DIRECT}) {
    shortWrites(setting, flags);
    shortReads(setting, flags);
  }
  edges(setting);
  smallCalls(setting);
  copies(setting);
  arenas();
}

}  // namespace harness
