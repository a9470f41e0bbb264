/* An arena's memory: made ready in front of what is written, without a change to what is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "shim.h"
#include "../slot.h"

#define SLOT_BYTES (24u << 20)

/* An arena of two slots, mapped by the plug-in; `fd` stays open. */
static struct stsp__arena arena_mapped(int *fd) {
  struct wire_arena frame = {{sizeof frame, WIRE_ARENA, 0, 0}, 7, 2, SLOT_BYTES, 0};
  struct stsp__arena arena;
  int error = 9;
  *fd = memfd_create("slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(*fd >= 0);
  CHECK_NUM(ftruncate(*fd, 2 * (off_t)SLOT_BYTES), 0);
  CHECK_NUM(fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
  const char *wrong = stsp__arena_map(&arena, &frame, *fd, true, &error);
  CHECK(wrong == NULL);
  CHECK_NUM(error, 0);
  CHECK_NUM((uintptr_t)arena.base % (2u << 20), 0); /* huge pages can be mapped as such */
  return arena;
}

TEST(memory_is_made_ready_around_what_is_there) {
  int fd;
  struct stsp__arena arena = arena_mapped(&fd);
  static const uint32_t marks[] = {0, 3u << 20, (6u << 20) + 4097, (20u << 20) - 1, SLOT_BYTES - 1};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) stsp__slot(&arena, 1)[marks[i]] = (unsigned char)(i + 1);
  for (uint32_t to = 1u << 20; to <= SLOT_BYTES; to += 1u << 20) {
    stsp__arena_ready(&arena, 1, to);
    CHECK(arena.ready[1] >= to);
    CHECK(to > 2u << 20 || arena.ready[1] <= 4u << 20); /* no long image's memory for a short one */
  }
  CHECK_NUM(arena.ready[1], SLOT_BYTES);
  CHECK_NUM(arena.ready[0], 0);
  size_t kept = 0;
  for (size_t at = 0; at < SLOT_BYTES; at++) {
    if (stsp__slot(&arena, 1)[at] == 0) continue;
    CHECK(kept < sizeof marks / sizeof *marks);
    CHECK_NUM(at, marks[kept]);
    CHECK_NUM(stsp__slot(&arena, 1)[at], kept + 1);
    kept++;
  }
  CHECK_NUM(kept, sizeof marks / sizeof *marks);
  stsp__arena_unmap(&arena);
  close(fd);
}

/* KiB of the mapping at `base` that are mapped as huge pages, by the kernel. */
static long huge_kib(const void *base) {
  char line[256], begin[32];
  long found = -1;
  snprintf(begin, sizeof begin, "%lx-", (unsigned long)(uintptr_t)base);
  FILE *maps = fopen("/proc/self/smaps", "r");
  CHECK(maps != NULL);
  for (bool here = false; fgets(line, sizeof line, maps) != NULL;) {
    if (strncmp(line, begin, strlen(begin)) == 0) here = true;
    if (here && sscanf(line, "ShmemPmdMapped: %ld", &found) == 1) break;
  }
  fclose(maps);
  CHECK(found >= 0);
  return found;
}

/* An image writes its first MiB before it is known to be no small one: that stayed in small pages for all images of the arena. */
TEST(what_was_written_first_gets_as_huge_a_page_as_all_else) {
  int fd;
  struct stsp__arena arena = arena_mapped(&fd);
  stsp__arena_ready(&arena, 0, 2u << 20);
  const long fresh = huge_kib(arena.base); /* 0 where this kernel gives none */
  memset(stsp__slot(&arena, 1), 0x5a, 1u << 20);
  stsp__arena_ready(&arena, 1, (1u << 20) + 1);
  CHECK_NUM(huge_kib(arena.base), 2 * fresh);
  for (size_t at = 0; at < 2u << 20; at++) CHECK_NUM(stsp__slot(&arena, 1)[at], at < 1u << 20 ? 0x5a : 0);
  stsp__arena_unmap(&arena);
  close(fd);
}

/* A slot's first MiB is written before anything is made ready; a slow host program's may be swapped out by then. */
TEST(bytes_that_were_swapped_out_stay_when_memory_is_made_ready) {
  int fd;
  struct stsp__arena arena = arena_mapped(&fd);
  memset(stsp__slot(&arena, 1), 0x5a, 1u << 20);
  shim_swapped(true);
  stsp__arena_ready(&arena, 1, (1u << 20) + 512);
  shim_swapped(false);
  CHECK(arena.ready[1] > 1u << 20);
  for (size_t at = 0; at < 1u << 20; at++) CHECK_NUM(stsp__slot(&arena, 1)[at], 0x5a);
  stsp__arena_unmap(&arena);
  close(fd);
}

TEST(memory_that_cannot_be_made_ready_comes_with_the_copy) {
  int fd;
  struct stsp__arena arena = arena_mapped(&fd);
  shim_fail(SHIM_MADVISE, EINVAL); /* of MADV_COLLAPSE: it is not asked for again in this process */
  stsp__arena_ready(&arena, 0, SLOT_BYTES);
  CHECK_NUM(arena.ready[0], SLOT_BYTES);
  memset(stsp__slot(&arena, 0), 0x5a, SLOT_BYTES);
  stsp__arena_unmap(&arena);
  close(fd);
}
