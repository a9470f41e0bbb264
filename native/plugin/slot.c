/* slot.c: mapping of arenas. */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kernel/names.h"

_Static_assert((uint64_t)WIRE_SLOTS_MAX * UINT32_MAX < (uint64_t)INT64_MAX, "slots times bytes cannot overflow");

#define HUGE_BYTES ((size_t)2 << 20)
#define READY_BYTES_MAX ((size_t)16 << 20) /* at once: a millisecond or two, in which the host program's call waits */

/*
 * Like mmap, but at a multiple of 2 MiB: where the engine made the memory of huge pages they are mapped as such, which is
 * one fault for each in place of 512. What is mapped is then all there is: unmapping it leaves nothing behind.
 */
static void *map_aligned(size_t bytes, int protection, int fd) {
  if (bytes < HUGE_BYTES || bytes > SIZE_MAX - HUGE_BYTES) return mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
  const size_t room = bytes + HUGE_BYTES;
  unsigned char *begin = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED) return MAP_FAILED;
  const size_t before = (HUGE_BYTES - (uintptr_t)begin % HUGE_BYTES) % HUGE_BYTES;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t end = (before + bytes + page - 1) / page * page;
  void *base = mmap(begin + before, bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    munmap(begin, room);
    errno = error;
    return MAP_FAILED;
  }
  if (before > 0) munmap(begin, before);
  munmap(begin + end, room - end);
  return base;
}

const char *stsp__arena_map(struct stsp__arena *arena, const struct wire_arena *frame, int fd, bool writable,
                            int *error) {
  *error = 0;
  if (frame->slots == 0 || frame->slots > WIRE_SLOTS_MAX || frame->slot_bytes == 0 ||
      frame->slot_bytes % WIRE_SLOT_ALIGN != 0 || frame->first_bytes % WIRE_SLOT_ALIGN != 0 ||
      frame->first_bytes > frame->slot_bytes)
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
  void *base = map_aligned((size_t)bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, fd);
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
  *arena = (struct stsp__arena){.base = base, .bytes = (size_t)bytes, .id = frame->arena, .slots = frame->slots,
                                .slot_bytes = frame->slot_bytes};
  return NULL;
}

/*
 * Huge pages for whole places in [at, end) that are not yet full of small ones. The kernel makes one of a single touched page,
 * and of what an image wrote before it was known to be no small one: that is copied once, and an arena lasts for many images.
 */
static void make_huge(unsigned char *at, const unsigned char *end) {
  static bool refused; /* by a kernel before 6.1; threads may all find out for themselves */
  if (__atomic_load_n(&refused, __ATOMIC_RELAXED)) return;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  at += (HUGE_BYTES - (uintptr_t)at % HUGE_BYTES) % HUGE_BYTES;
  while (at < end && (size_t)(end - at) >= HUGE_BYTES) {
    size_t run = 0;
    unsigned char seen = 1;
    for (; (size_t)(end - at) - run >= HUGE_BYTES; run += HUGE_BYTES) {
      /* of a huge page all is there, and what is written from its begin on has not come to the last small one */
      if (mincore(at + run + HUGE_BYTES - page, 1, &seen) != 0 || seen & 1) break;
      /* what was swapped out is not there either, and has its bytes still: written, not changed */
      volatile unsigned char *first = at + run;
      *first = *first;
    }
    if (run > 0 && madvise(at, run, MADV_COLLAPSE) != 0 && errno == EINVAL) {
      __atomic_store_n(&refused, true, __ATOMIC_RELAXED);
      return;
    }
    at += run > 0 ? run : HUGE_BYTES;
  }
}

void stsp__arena_ready(struct stsp__arena *arena, uint32_t slot, uint32_t to) {
  uint32_t *ready = &arena->ready[slot];
  while (*ready < to) {
    /* doubling: a short image does not pay for a long one's memory */
    size_t piece = *ready < HUGE_BYTES ? HUGE_BYTES : *ready;
    if (piece > READY_BYTES_MAX) piece = READY_BYTES_MAX;
    if (piece > arena->slot_bytes - *ready) piece = arena->slot_bytes - *ready;
    unsigned char *at = stsp__slot(arena, slot) + *ready;
    make_huge(at, at + piece);
    (void)madvise(at, piece, MADV_POPULATE_WRITE); /* a kernel before 5.14 refuses: then the copy itself maps it */
    *ready += (uint32_t)piece;
  }
}

void stsp__arena_unmap(struct stsp__arena *arena) {
  if (arena->base) munmap(arena->base, arena->bytes);
  memset(arena, 0, sizeof *arena);
}

unsigned char *stsp__slot(const struct stsp__arena *arena, uint32_t slot) {
  return arena->base + (size_t)slot * arena->slot_bytes;
}
