/*
 * arena.h: the slots of one image handle: a sealed memfd that engine and host program both map. Free of Node-API.
 *
 * The client may write into it at any time, so nothing in it is believed: the engine reads payload from it, never a
 * number. Sealed with SHRINK, GROW and SEAL: nobody can truncate it, so no access of ours can raise SIGBUS by that.
 */
#ifndef VAST_OST_ARENA_H
#define VAST_OST_ARENA_H

#include <cstddef>
#include <cstdint>

#include <atomic>

#include "table.h"

namespace vast_ost {

struct Arena : Counted<Arena> {
  int fd = -1;
  uint8_t* memory = nullptr;
  /** What callers may use; the mapping is this rounded up to whole pages. */
  size_t bytes = 0;
  size_t mappedBytes = 0;
  /** A bit for each place where a huge page fits: somebody has tried to make one there. */
  std::atomic<uint64_t>* hugeTried = nullptr;
  static int destroy(Arena* arena);

  /**
   * Huge pages where whole ones fit into [offset, offset + length), which lies inside. Best effort: without huge memory,
   * on a kernel before 6.1, or with shmem_enabled = deny, the small pages come when they are touched.
   */
  void makeHuge(uint64_t offset, uint64_t length);

  /** True when [offset, offset + length) lies inside. */
  bool holds(uint64_t offset, uint64_t length) const { return offset <= bytes && length <= bytes - offset; }
};

Ref<Arena> getArena(int32_t id);

int64_t arenaOpen(uint64_t bytes);
int64_t arenaPopulate(int32_t arena, uint64_t offset, uint64_t length);
int64_t arenaMakeHuge(int32_t arena, uint64_t offset, uint64_t length);
int64_t arenaSend(int socket, const uint8_t* frame, size_t length, int32_t arena);
int64_t arenaClose(int32_t arena);
int64_t arenaRenew(int32_t arena);
int64_t arenaPeek(int32_t arena, uint64_t offset, uint8_t* out, size_t length);
int64_t arenaPoke(int32_t arena, uint64_t offset, const uint8_t* bytes, size_t length);

/** Tests: false acts like a kernel before 5.14, without MADV_POPULATE_WRITE; before 6.1, without MADV_COLLAPSE. */
void pretendPopulate(bool populate, bool collapse);

}  // namespace vast_ost

#endif
