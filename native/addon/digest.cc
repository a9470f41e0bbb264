// digest.cc: each byte is brought into the cache once and goes through CRC and SHA while it is there.
#include "digest.h"

#include "arena.h"
#include "crc64.h"
#include "files.h"
#include "scratch.h"
#include "sha256.h"
#include "syscalls.h"

namespace vast_ost {

namespace {

/** Fits the second-level cache: what the CRC has read, the SHA finds there. */
constexpr uint64_t strideBytes = 256 * 1024;

uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/**
 * Reads [offset, offset + length), length ≤ scratchBytes, with the sectors around it. The first byte wanted, or null
 * with `error` set; −ENODATA where the file ends early.
 */
const uint8_t* readPiece(const Ref<File>& file, uint64_t offset, uint64_t length, int64_t* error) {
  uint8_t* memory = scratch();
  const uint64_t first = offset / scratchAlign * scratchAlign;
  const uint64_t end = (offset + length + scratchAlign - 1) / scratchAlign * scratchAlign;
  *error = -ENOMEM;
  if (memory == nullptr) return nullptr;
  const uint64_t enough = offset + length - first;
  const int64_t got = readUpTo(file->fd, file->direct, memory, end - first, enough, static_cast<int64_t>(first));
  *error = got < 0 ? got : static_cast<uint64_t>(got) < enough ? -ENODATA : 0;
  return *error < 0 ? nullptr : memory + (offset - first);
}

/** True when the lengths of the pairs add up to `length` and none is 0 or above scratchBytes. */
bool partitions(const uint64_t* expect, size_t pieces, uint64_t length) {
  uint64_t sum = 0;
  for (size_t i = 0; i < pieces; ++i) {
    const uint64_t piece = expect[2 * i];
    if (piece == 0 || piece > scratchBytes || piece > length - sum) return false;
    sum += piece;
  }
  return sum == length;
}

}  // namespace

uint64_t pieceCount(uint64_t imageOffset, uint64_t length, uint64_t chunkBytes) {
  if (length == 0) return 0;
  return (imageOffset + length - 1) / chunkBytes - imageOffset / chunkBytes + 1;
}

int64_t digestSlot(
    int32_t arena, uint64_t memoryOffset, uint64_t length, uint64_t imageOffset, uint64_t chunkBytes, int32_t sha,
    uint64_t* crcs) {
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (!a->holds(memoryOffset, length)) return -EFAULT;
  ShaUse use(sha);
  if (use.error() < 0) return use.error();
  const uint8_t* bytes = a->memory + memoryOffset;
  const uint64_t end = imageOffset + length;
  int64_t pieces = 0;
  for (uint64_t at = imageOffset; at < end;) {
    const uint64_t pieceEnd = least((at / chunkBytes + 1) * chunkBytes, end);
    uint64_t crc = 0;
    while (at < pieceEnd) {
      const uint64_t stride = least(pieceEnd - at, strideBytes);
      crc = crc64_update(crc, bytes, stride);
      use.update(bytes, stride);
      bytes += stride;
      at += stride;
    }
    crcs[pieces++] = crc;
  }
  return pieces;
}

namespace {

/** For images without sums: nothing tells whether these bytes are still the ones that were written. */
int64_t digestUnverified(const Ref<File>& file, uint64_t offset, uint64_t length, ShaUse* use) {
  for (uint64_t done = 0; done < length;) {
    const uint64_t count = least(length - done, scratchBytes);
    int64_t error;
    const uint8_t* bytes = readPiece(file, offset + done, count, &error);
    if (bytes == nullptr) return error;
    use->update(bytes, count);
    done += count;
  }
  return 0;
}

}  // namespace

int64_t digestFile(int32_t file, uint64_t offset, uint64_t length, const uint64_t* expect, size_t pieces, int32_t sha) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  if (pieces > 0 && !partitions(expect, pieces, length)) return -EINVAL;
  ShaUse use(sha);
  if (use.error() < 0) return use.error();
  if (pieces == 0) return digestUnverified(f, offset, length, &use);
  uint64_t at = offset;
  for (size_t good = 0; good < pieces;) {
    // As many whole pieces as fit are read at once. SHA takes a piece only after its CRC was right.
    size_t until = good;
    uint64_t readBytes = 0;
    while (until < pieces && expect[2 * until] <= scratchBytes - readBytes) readBytes += expect[2 * until++];
    int64_t error;
    const uint8_t* bytes = readPiece(f, at, readBytes, &error);
    if (bytes == nullptr) return error;
    for (; good < until; ++good) {
      const uint64_t piece = expect[2 * good];
      if (crc64_update(0, bytes, piece) != expect[2 * good + 1]) return static_cast<int64_t>(good);
      use.update(bytes, piece);
      bytes += piece;
      at += piece;
    }
  }
  return static_cast<int64_t>(pieces);
}

int64_t splitPiece(
    int32_t file, uint64_t offset, uint64_t length, uint64_t expect, const uint64_t* cuts, size_t count,
    uint64_t* crcs) {
  const Ref<File> f = getFile(file);
  if (!f) return -EBADF;
  if (length > scratchBytes) return -EINVAL;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t from = cuts[2 * i];
    if (from > length || cuts[2 * i + 1] > length - from) return -EINVAL;
  }
  int64_t error;
  const uint8_t* bytes = readPiece(f, offset, length, &error);
  if (bytes == nullptr) return error;
  if (crc64_update(0, bytes, length) != expect) return 0;
  for (size_t i = 0; i < count; ++i) crcs[i] = crc64_update(0, bytes + cuts[2 * i], cuts[2 * i + 1]);
  return 1;
}

int64_t verifySlot(
    int32_t arena, uint64_t memoryOffset, uint64_t length, uint64_t chunkBytes, const uint64_t* expect) {
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (!a->holds(memoryOffset, length)) return -EFAULT;
  const uint8_t* bytes = a->memory + memoryOffset;
  uint64_t good = 0;
  for (size_t chunk = 0; good < length; ++chunk) {
    const uint64_t count = least(length - good, chunkBytes);
    if (crc64_update(0, bytes + good, count) != expect[chunk]) break;
    good += count;
  }
  return static_cast<int64_t>(good);
}

}  // namespace vast_ost
