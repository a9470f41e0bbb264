/*
 * image-read.c: the way up. The engine puts pieces of the image into slots (DATA) and the reader copies out; a slot
 * that was passed goes back (SLOT_DONE). A jump raises the generation: all slots are then the engine's again, and DATA
 * of the old generation that is still under way is ignored.
 */
#include <string.h>

#include "image.h"
#include "log.h"

#define READ_LENGTH_MAX (UINT32_MAX - 4095u)

static int release(struct stsp__image *image, uint32_t slot) {
  struct stsp__reader *reader = &image->reader;
  reader->held_slots &= ~(UINT64_C(1) << slot);
  struct wire_slot_done frame = {.arena = image->arena.id, .slot = slot, .generation = reader->generation};
  return stsp__link_send(image->link, WIRE_SLOT_DONE, &frame, sizeof frame);
}

/* The held slot that covers `offset`, or −1. */
static int find_held(const struct stsp__reader *reader, uint64_t offset) {
  for (uint64_t left = reader->held_slots; left; left &= left - 1) {
    int slot = __builtin_ctzll(left);
    const struct stsp__held *held = &reader->held[slot];
    if (offset >= held->offset && offset - held->offset < held->length) return slot;
  }
  return -1;
}

/* Gives back every slot that ends at or before `offset`: passed, or jumped over. */
static int release_passed(struct stsp__image *image, uint64_t offset) {
  struct stsp__reader *reader = &image->reader;
  int status = STS_EOK;
  for (uint64_t left = reader->held_slots; left && status == STS_EOK; left &= left - 1) {
    uint32_t slot = (uint32_t)__builtin_ctzll(left);
    if (reader->held[slot].offset + reader->held[slot].length <= offset) status = release(image, slot);
  }
  return status;
}

static int copy_out(struct stsp__image *image, uint32_t slot, unsigned char *buffer, uint64_t length, uint64_t offset,
                    uint64_t *copied) {
  struct stsp__reader *reader = &image->reader;
  const struct stsp__held *held = &reader->held[slot];
  uint64_t into = offset - held->offset;
  uint64_t room = held->length - into;
  *copied = length < room ? length : room;
  uint64_t begin = stsp__now();
  memcpy(buffer, stsp__slot(&image->arena, slot) + held->slot_offset + into, (size_t)*copied);
  image->copy_ns += stsp__now() - begin;
  reader->delivered_end = offset + *copied;
  return release_passed(image, reader->delivered_end);
}

static int fetch(struct stsp__image *image, uint64_t length, uint64_t offset) {
  struct stsp__reader *reader = &image->reader;
  /* slots that are still held here lie ahead and not at this offset: of no use to a reader that goes on from here */
  if (offset != reader->delivered_end || reader->held_slots) {
    reader->generation++;
    reader->held_slots = 0;
  }
  struct wire_read frame = {.offset = offset, .generation = reader->generation,
                            .length = length < READ_LENGTH_MAX ? (uint32_t)length : READ_LENGTH_MAX};
  int status = stsp__link_call(image->link, WIRE_READ, &frame, sizeof frame, NULL, 0, 0, false, NULL);
  if (status != STS_EOK) return status;
  /* never the end of the image by silence: that would be a restore cut short */
  if (find_held(reader, offset) < 0) return stsp__link_broken(image->link, "a read without data");
  return STS_EOK;
}

int stsp__image_read(struct stsp__image *image, unsigned char *buffer, uint64_t length, uint64_t offset,
                     uint64_t *got) {
  uint64_t size = image->opened.size;
  uint64_t done = 0;
  stsp__image_enter(image, "a read");
  if (offset >= size) length = 0;
  else if (length > size - offset) length = size - offset;
  int status = stsp__link_drain(image->link);
  while (status == STS_EOK && done < length) {
    int slot = find_held(&image->reader, offset + done);
    if (slot < 0) {
      status = fetch(image, length - done, offset + done);
      continue;
    }
    uint64_t copied = 0;
    status = copy_out(image, (uint32_t)slot, buffer + done, length - done, offset + done, &copied);
    done += copied;
  }
  *got = status == STS_EOK ? done : 0;
  return stsp__image_leave(image, status);
}

/* ---- frames from the engine ----------------------------------------------------------------------------------------- */

static const char *data(struct stsp__image *image, const struct wire_data *frame) {
  struct stsp__reader *reader = &image->reader;
  if (frame->header.length != sizeof *frame) return "data of the wrong length";
  uint32_t behind = reader->generation - frame->generation;
  if (behind != 0) return behind < UINT32_MAX / 2 ? NULL : "data of a generation that was not asked for";
  if (!image->arena.base || frame->arena != image->arena.id) return "data in an arena that is not there";
  if (frame->slot >= image->arena.slots) return "data in a slot that is not there";
  if (reader->held_slots & UINT64_C(1) << frame->slot) return "data in a slot that is held";
  if (frame->length == 0 || frame->slot_offset > image->arena.slot_bytes ||
      frame->length > image->arena.slot_bytes - frame->slot_offset)
    return "data that does not fit its slot";
  if (frame->offset > image->opened.size || frame->length > image->opened.size - frame->offset)
    return "data behind the end of the image";
  reader->held_slots |= UINT64_C(1) << frame->slot;
  reader->held[frame->slot] = (struct stsp__held){frame->offset, frame->slot_offset, frame->length};
  return NULL;
}

const char *stsp__reader_sink(struct stsp__image *image, const struct wire_header *frame, int *fd) {
  switch (frame->type) {
    case WIRE_ARENA:
      if (image->reader.held_slots) return "an arena in place of one whose slots are held";
      return stsp__image_arena(image, frame, fd);
    case WIRE_DATA: return data(image, (const struct wire_data *)frame);
    default: return "a frame for a writer";
  }
}
