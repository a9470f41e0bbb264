/* slot.c: mapping of arenas. */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* the C library of the oldest systems lacks these names */
#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif
#ifndef F_SEAL_SHRINK
#define F_SEAL_SHRINK 0x0002
#endif

_Static_assert((uint64_t)WIRE_SLOTS_MAX * UINT32_MAX < (uint64_t)INT64_MAX, "slots times bytes cannot overflow");

const char *stsp__arena_map(struct stsp__arena *arena, const struct wire_arena *frame, int fd, bool writable,
                            int *error) {
  *error = 0;
  if (frame->slots == 0 || frame->slots > WIRE_SLOTS_MAX || frame->slot_bytes == 0 ||
      frame->slot_bytes % WIRE_SLOT_ALIGN != 0)
    return "an arena with a wrong number or size of slots";
  uint64_t bytes = (uint64_t)frame->slots * frame->slot_bytes;
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || !(seals & F_SEAL_SHRINK)) return "an arena that is not sealed against shrinking";
  off_t size = lseek(fd, 0, SEEK_END);
  if (size < 0 || (uint64_t)size < bytes) return "an arena that is smaller than its slots";
  if (bytes > SIZE_MAX) {
    *error = ENOMEM;
    return NULL;
  }
  void *base = mmap(NULL, (size_t)bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    *error = errno;
    return NULL;
  }
  /* a child of the host program must not keep the memory, or write into it */
  if (madvise(base, (size_t)bytes, MADV_DONTFORK) != 0) {
    *error = errno;
    munmap(base, (size_t)bytes);
    return NULL;
  }
  *arena = (struct stsp__arena){base, (size_t)bytes, frame->arena, frame->slots, frame->slot_bytes};
  return NULL;
}

void stsp__arena_unmap(struct stsp__arena *arena) {
  if (arena->base) munmap(arena->base, arena->bytes);
  memset(arena, 0, sizeof *arena);
}

unsigned char *stsp__slot(const struct stsp__arena *arena, uint32_t slot) {
  return arena->base + (size_t)slot * arena->slot_bytes;
}
