// direct_io.cc: the only place where image bytes meet a file on their way to or from a slot.
#include "direct_io.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>

#include "arena.h"
#include "files.h"
#include "scratch.h"
#include "syscalls.h"

#ifndef FICLONE
#define FICLONE _IOW(0x94, 9, int)
#endif

namespace vast_ost {

namespace {

/** Reads the sector at `offset`; what lies behind the end of the file is zero. */
int64_t readSector(const Ref<File>& file, uint8_t* sector, uint64_t align, uint64_t offset) {
  const int64_t got = readUpTo(file->fd, file->direct, sector, align, align, static_cast<int64_t>(offset));
  if (got < 0) return got;
  memset(sector + got, 0, align - static_cast<uint64_t>(got));
  return got;
}

/**
 * Writes [offset, end), which lies in one window of scratch memory, with the sectors around it:
 *
 *     first            offset                         end          last
 *       |  from file     |        from the slot        |  from file  |
 */
int64_t writeWindow(
    const Ref<File>& file, uint8_t* window, const uint8_t* bytes, uint64_t offset, uint64_t end, uint64_t align) {
  const uint64_t first = offset / align * align;
  const uint64_t last = (end + align - 1) / align * align;
  int64_t result = 0;
  if (offset != first) result = readSector(file, window, align, first);
  if (result >= 0 && end != last && (last - align != first || offset == first)) {
    result = readSector(file, window + (last - align - first), align, last - align);
  }
  if (result < 0) return result;
  memcpy(window + (offset - first), bytes, end - offset);
  return writeAll(file->fd, file->direct, window, last - first, static_cast<int64_t>(first));
}

}  // namespace

int64_t writeSlot(int32_t file, int32_t arena, uint64_t memoryOffset, uint64_t length, int64_t fileOffset) {
  const Ref<File> f = getFile(file);
  const Ref<Arena> a = getArena(arena);
  if (!f || !a) return -EBADF;
  if (!a->holds(memoryOffset, length)) return -EFAULT;
  return writeAll(f->fd, f->direct, a->memory + memoryOffset, length, fileOffset);
}

int64_t readSlot(int32_t file, int32_t arena, uint64_t memoryOffset, uint64_t length, int64_t fileOffset) {
  const Ref<File> f = getFile(file);
  const Ref<Arena> a = getArena(arena);
  if (!f || !a) return -EBADF;
  if (!a->holds(memoryOffset, length)) return -EFAULT;
  a->makeHuge(memoryOffset, length);
  return readUpTo(f->fd, f->direct, a->memory + memoryOffset, length, length, fileOffset);
}

int64_t writeEdge(
    int32_t file, int32_t arena, uint64_t memoryOffset, uint64_t length, int64_t fileOffset, uint32_t align) {
  constexpr uint32_t alignMax = 65536;
  const Ref<File> f = getFile(file);
  const Ref<Arena> a = getArena(arena);
  if (!f || !a) return -EBADF;
  if (!a->holds(memoryOffset, length)) return -EFAULT;
  if (align == 0 || align > alignMax || (align & (align - 1)) != 0) return -EINVAL;
  uint8_t* window = scratch();
  if (window == nullptr) return -ENOMEM;
  const uint64_t start = static_cast<uint64_t>(fileOffset);
  const uint64_t end = start + length;
  const uint8_t* bytes = a->memory + memoryOffset;
  for (uint64_t at = start; at < end;) {
    // Windows end at multiples of scratchBytes above the first sector: only the first and last one have odd ends.
    const uint64_t windowEnd = at / align * align + scratchBytes;
    const uint64_t to = windowEnd < end ? windowEnd : end;
    const int64_t result = writeWindow(f, window, bytes + (at - start), at, to, align);
    if (result < 0) return result;
    at = to;
  }
  return static_cast<int64_t>(length);
}

int64_t cloneFile(int32_t to, int32_t from) {
  const Ref<File> target = getFile(to);
  const Ref<File> source = getFile(from);
  if (!target || !source) return -EBADF;
  return restarted([&] { return ioctl(target->fd, FICLONE, source->fd); });
}

int64_t copyRange(int32_t to, int32_t from, int64_t offset, uint64_t length) {
  constexpr uint64_t callMaxBytes = uint64_t{1} << 30;
  const Ref<File> target = getFile(to);
  const Ref<File> source = getFile(from);
  if (!target || !source) return -EBADF;
  uint64_t done = 0;
  while (done < length) {
    const uint64_t count = length - done < callMaxBytes ? length - done : callMaxBytes;
    off64_t in = offset + static_cast<int64_t>(done);
    off64_t out = in;
    const int64_t copied =
        restarted([&] { return copy_file_range(source->fd, &in, target->fd, &out, static_cast<size_t>(count), 0); });
    if (copied < 0) return copied;
    if (copied == 0) break;  // the end of the source
    done += static_cast<uint64_t>(copied);
  }
  return static_cast<int64_t>(done);
}

}  // namespace vast_ost
