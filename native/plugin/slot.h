/* slot.h: the arena of one image handle: the engine's sealed memory, mapped here. Everything said about it is checked. */
#ifndef STSP_SLOT_H
#define STSP_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../wire/wire.h"

struct stsp__arena {
  unsigned char *base; /* NULL: none */
  size_t bytes;
  uint32_t id;
  uint32_t slots;
  uint32_t slot_bytes;
  uint32_t ready[WIRE_SLOTS_MAX]; /* bytes from a slot's begin that stsp__arena_ready has gone over */
};

/*
 * Maps the descriptor of an ARENA frame and leaves the descriptor open. NULL, or what is wrong with the frame; *error:
 * 0, or the errno when it is our side that cannot map. Memory that the other side could cut off is refused: touching it
 * would be SIGBUS in the host program.
 */
const char *stsp__arena_map(struct stsp__arena *arena, const struct wire_arena *frame, int fd, bool writable, int *error);

/* Unmaps; nothing when there is none. */
void stsp__arena_unmap(struct stsp__arena *arena);

/*
 * Before the slot's bytes below `to` are written: memory that is not there yet comes in huge pages where the kernel can,
 * and is mapped at once, not by one fault for every 4 KiB. Best effort; cheap where it was done.
 */
void stsp__arena_ready(struct stsp__arena *arena, uint32_t slot, uint32_t to);

/* Where a slot begins. */
unsigned char *stsp__slot(const struct stsp__arena *arena, uint32_t slot);

#endif
