/*
 * image-write.c: the way down. One copy into a slot; a full slot goes to the engine; its credit comes back when the
 * block is written. A writer waits only when it needs a slot and no credit is there.
 */
#include <string.h>

#include "codes.h"
#include "copy.h"
#include "image.h"
#include "log.h"

/* Bytes of an image; up to here they go by memcpy: faults cost less than what avoids them, and caches hold it all. */
#define READY_FROM (1u << 20)

/* ---- failures: the first one stands ------------------------------------------------------------------------------ */

static void remember(struct stsp__writer *writer, int status, const char *text, size_t length) {
  if (writer->failure != STS_EOK) return;
  writer->failure = status;
  if (length >= sizeof writer->failure_text) length = sizeof writer->failure_text - 1;
  memcpy(writer->failure_text, text, length);
  writer->failure_text[length] = 0;
}

static int tell_failure(struct stsp__image *image) {
  image->writer.failure_told = true;
  return stsp__fail(image->session, image->writer.failure, "%s", image->writer.failure_text);
}

int stsp__writer_fail(struct stsp__image *image, int status) {
  struct stsp__writer *writer = &image->writer;
  remember(writer, status, image->session->error, strnlen(image->session->error, STS_MAX_ERROR - 1));
  return tell_failure(image);
}

int stsp__writer_failure(struct stsp__image *image) {
  /* what the engine said before it went away counts for more than that it went */
  int status = image->writer.failure == STS_EOK ? stsp__link_drain(image->link) : STS_EOK;
  if (image->writer.failure != STS_EOK) return tell_failure(image);
  return status == STS_EOK ? STS_EOK : stsp__writer_fail(image, status);
}

/* ---- slots ----------------------------------------------------------------------------------------------------------- */

bool stsp__writer_end_block(struct stsp__image *image, struct wire_submit *frame) {
  struct stsp__writer *writer = &image->writer;
  struct stsp__block *block = &writer->block;
  if (!block->open) return false;
  block->open = false;
  writer->sequence++;
  writer->submitted[block->slot] = writer->sequence;
  if (writer->block_bytes < image->arena.slot_bytes) writer->block_bytes *= 2;
  *frame = (struct wire_submit){.arena = image->arena.id, .slot = block->slot, .slot_offset = block->start,
                                .length = block->fill, .offset = block->offset, .sequence = writer->sequence};
  return true;
}

static int submit(struct stsp__image *image) {
  struct wire_submit frame;
  if (!stsp__writer_end_block(image, &frame)) return STS_EOK;
  return stsp__link_send(image->link, WIRE_SUBMIT, &frame, sizeof frame);
}

static int take_slot(struct stsp__image *image, uint64_t offset) {
  struct stsp__writer *writer = &image->writer;
  if (!writer->free_slots) {
    int status = STS_EOK;
    while (status == STS_EOK && !writer->free_slots && writer->failure == STS_EOK) status = stsp__link_wait(image->link);
    if (writer->failure != STS_EOK) return tell_failure(image);
    if (status != STS_EOK) return status;
  }
  uint32_t slot = (uint32_t)__builtin_ctzll(writer->free_slots);
  writer->free_slots &= ~(UINT64_C(1) << slot);
  writer->block = (struct stsp__block){true, slot, (uint32_t)(offset % WIRE_SLOT_ALIGN), 0, offset};
  return STS_EOK;
}

static int populate_once(struct stsp__image *image) {
  struct stsp__writer *writer = &image->writer;
  /* Half a slot: whoever gets this far is no small image, and the engine has the time of the other half. */
  if (writer->populate_sent || writer->filled < image->arena.slot_bytes / 2) return STS_EOK;
  writer->populate_sent = true;
  struct wire_header frame;
  return stsp__link_send(image->link, WIRE_POPULATE, &frame, sizeof frame);
}

/* Where in its slot the open block ends. The first ones are short, so that storage has something to do early. */
static uint64_t block_end(const struct stsp__image *image) {
  uint64_t slot_bytes = image->arena.slot_bytes, block_bytes = image->writer.block_bytes;
  return block_bytes < slot_bytes ? block_bytes : slot_bytes;
}

/* ---- write ------------------------------------------------------------------------------------------------------------ */

static int write_all(struct stsp__image *image, const unsigned char *buffer, uint64_t length, uint64_t offset) {
  struct stsp__block *block = &image->writer.block;
  int status = STS_EOK;
  if (block->open && offset != block->offset + block->fill) status = submit(image);
  while (length > 0 && status == STS_EOK) {
    if (!block->open) status = take_slot(image, offset);
    if (status != STS_EOK) break;
    uint32_t used = block->start + block->fill;
    uint64_t room = block_end(image) - used;
    size_t piece = (size_t)(length < room ? length : room);
    uint64_t begin = stsp__now();
    unsigned char *to = stsp__slot(&image->arena, block->slot) + used;
    if (used + piece > READY_FROM || image->writer.filled > READY_FROM) {
      stsp__arena_ready(&image->arena, block->slot, used + (uint32_t)piece);
      stsp__copy_through(to, buffer, piece);
    } else memcpy(to, buffer, piece);
    image->copy_ns += stsp__now() - begin;
    block->fill += (uint32_t)piece;
    image->writer.filled += piece;
    buffer += piece;
    offset += piece;
    length -= piece;
    status = populate_once(image);
    if (status == STS_EOK && used + piece == block_end(image)) status = submit(image);
  }
  return status;
}

int stsp__image_write(struct stsp__image *image, const unsigned char *buffer, uint64_t length, uint64_t offset) {
  stsp__image_enter(image, "a write");
  int status = stsp__writer_failure(image);
  if (status == STS_EOK) {
    status = write_all(image, buffer, length, offset);
    /* part of the data may be on its way and part is not: this handle can never make the image complete */
    if (status != STS_EOK && image->writer.failure == STS_EOK) status = stsp__writer_fail(image, status);
    else if (status != STS_EOK) status = image->writer.failure;
  }
  return stsp__image_leave(image, status);
}

/* ---- frames from the engine ----------------------------------------------------------------------------------------- */

static const char *slot_free(struct stsp__image *image, const struct wire_slot_free *frame) {
  struct stsp__writer *writer = &image->writer;
  if (frame->header.length != sizeof *frame) return "a credit of the wrong length";
  if (!image->arena.base || frame->arena != image->arena.id) return "a credit in an arena that is not there";
  if (frame->slot >= image->arena.slots) return "a credit for a slot that is not there";
  if (writer->free_slots & UINT64_C(1) << frame->slot) return "a credit for a slot that is free";
  if (writer->block.open && writer->block.slot == frame->slot) return "a credit for the slot that is being filled";
  /* after a failure the engine drops blocks, and only the slot counts */
  if (writer->failure == STS_EOK && writer->submitted[frame->slot] != frame->sequence)
    return "a credit for another block";
  writer->submitted[frame->slot] = 0;
  writer->free_slots |= UINT64_C(1) << frame->slot;
  return NULL;
}

static const char *failed(struct stsp__image *image, const struct wire_failed *frame) {
  if (frame->header.length < sizeof *frame || frame->text_length > WIRE_TEXT_MAX ||
      frame->header.length < sizeof *frame + frame->text_length)
    return "a failure of the wrong length";
  if (frame->status == STS_EOK || !stsp__status_known(frame->status)) return "a failure with an unknown status";
  const char *text = (const char *)(frame + 1);
  size_t length = strnlen(text, frame->text_length);
  if (length == 0) text = stsp__status_text(frame->status), length = strlen(text);
  remember(&image->writer, (int)frame->status, text, length);
  return NULL;
}

static const char *new_arena(struct stsp__image *image, const struct wire_header *frame, int *fd) {
  const char *wrong = stsp__image_arena(image, frame, fd);
  if (wrong) return wrong;
  uint32_t first = ((const struct wire_arena *)frame)->first_bytes;
  image->writer.block_bytes = first > 0 ? first : image->arena.slot_bytes;
  return NULL;
}

const char *stsp__writer_sink(struct stsp__image *image, const struct wire_header *frame, int *fd) {
  switch (frame->type) {
    case WIRE_ARENA:
      if (image->writer.block.open || image->writer.free_slots) return "an arena in place of one whose slots are out";
      /* blocks whose credit did not come back are done: their slots are free, and go with the arena */
      memset(image->writer.submitted, 0, sizeof image->writer.submitted);
      return new_arena(image, frame, fd);
    case WIRE_SLOT_FREE: return slot_free(image, (const struct wire_slot_free *)frame);
    case WIRE_FAILED: return failed(image, (const struct wire_failed *)frame);
    default: return "a frame for a reader";
  }
}
