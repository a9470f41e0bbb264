#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGES_MAX 512
#define SLOTS_MAX 4u

struct stored {
  char name[64];
  uint64_t size;
  unsigned char *bytes;
};

static struct stored images[IMAGES_MAX];
static unsigned image_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct connection {
  int fd;
  unsigned number;
  pthread_t thread;
  /* arena */
  uint32_t arena, slots, slot_bytes;
  uint64_t block_bytes;         /* how far into its slot the next block may go */
  unsigned char *memory;
  bool out[SLOTS_MAX];          /* the client has it: a credit, or data */
  uint64_t settled[SLOTS_MAX];  /* sequence to tell with the next credit */
  bool dropping;                /* a new arena was sent, ARENA_DROPPED has to come */
  unsigned char *old_memory;
  uint32_t old_slots, old_slot_bytes, old_arena;
  /* image */
  struct stored *image;
  uint64_t sequence;
  uint32_t generation;
  uint64_t position;
};

static struct stored *find(const char *name, bool make) {
  pthread_mutex_lock(&lock);
  struct stored *found = NULL;
  for (unsigned i = 0; i < image_count && !found; i++)
    if (strcmp(images[i].name, name) == 0) found = &images[i];
  if (!found && make) {
    CHECK(image_count < IMAGES_MAX && strlen(name) < sizeof images[0].name);
    found = &images[image_count++];
    memcpy(found->name, name, strlen(name) + 1);
    found->size = 0;
    found->bytes = calloc(1, MODEL_IMAGE_BYTES);
  }
  pthread_mutex_unlock(&lock);
  return found;
}

/* ---- arenas ---------------------------------------------------------------------------------------------------------- */

static void new_arena(struct connection *c) {
  static const uint32_t sizes[] = {4096, 8192, 12288, 65536};
  c->old_memory = c->memory;
  c->old_slots = c->slots;
  c->old_slot_bytes = c->slot_bytes;
  c->old_arena = c->arena;
  c->dropping = c->memory != NULL;
  c->slots = 1 + (uint32_t)(test_random() % SLOTS_MAX);
  c->slot_bytes = sizes[test_random() % 4];
  uint32_t first_bytes = (uint32_t)(test_random() % (c->slot_bytes / 4096 + 1)) * 4096;
  c->block_bytes = first_bytes > 0 ? first_bytes : c->slot_bytes;
  c->memory = fake_arena_from(c->fd, ++c->arena, c->slots, c->slot_bytes, first_bytes);
  memset(c->settled, 0, sizeof c->settled);
}

static bool all_here(const struct connection *c) {
  for (uint32_t i = 0; i < c->slots; i++)
    if (c->out[i]) return false;
  return true;
}

static void dropped(struct connection *c, const struct wire_arena_dropped *frame) {
  CHECK(c->dropping);
  CHECK_NUM(frame->arena, c->old_arena);
  fake_arena_end(c->old_memory, c->old_slots, c->old_slot_bytes);
  c->dropping = false;
}

/* ---- writers ----------------------------------------------------------------------------------------------------------- */

/* Gives back some of the slots in any order; at least one when the client has none. */
static void credits(struct connection *c) {
  uint32_t first = (uint32_t)test_random();
  bool any = false;
  if (all_here(c) && test_random() % 8 == 0) new_arena(c);
  for (uint32_t i = 0; i < c->slots; i++) any |= c->out[i];
  for (uint32_t i = 0; i < c->slots; i++) {
    uint32_t slot = (first + i) % c->slots;
    if (c->out[slot] || (any && test_random() % 3 == 0)) continue;
    c->out[slot] = any = true;
    if (test_random() % 4 == 0) fake_still_working(c->fd);
    fake_credit(c->fd, c->arena, slot, c->settled[slot]);
    c->settled[slot] = 0;
  }
}

static void submit(struct connection *c, const struct wire_submit *frame) {
  CHECK(!c->dropping);
  CHECK_NUM(frame->arena, c->arena);
  CHECK(frame->slot < c->slots && c->out[frame->slot]);
  CHECK(frame->length > 0 && frame->length % 512 == 0 && frame->offset % 512 == 0);
  CHECK_NUM(frame->slot_offset % 4096, frame->offset % 4096);
  CHECK(frame->slot_offset + frame->length <= c->slot_bytes);
  CHECK(frame->slot_offset + frame->length <= c->block_bytes);
  if (c->block_bytes < c->slot_bytes) c->block_bytes *= 2;
  CHECK(frame->offset + frame->length <= MODEL_IMAGE_BYTES);
  CHECK_NUM(frame->sequence, ++c->sequence);
  memcpy(c->image->bytes + frame->offset, c->memory + (size_t)frame->slot * c->slot_bytes + frame->slot_offset,
         frame->length);
  if (frame->offset + frame->length > c->image->size) c->image->size = frame->offset + frame->length;
  c->out[frame->slot] = false;
  c->settled[frame->slot] = frame->sequence;
  credits(c);
}

/* ---- readers ----------------------------------------------------------------------------------------------------------- */

static void send_pieces(struct connection *c, uint64_t end) {
  for (uint32_t slot = 0; slot < c->slots && c->position < end; slot++) {
    if (c->out[slot]) continue;
    uint32_t most = c->slot_bytes;
    if (test_random() % 2) most = 1 + (uint32_t)(test_random() % most);
    if (most > c->image->size - c->position) most = (uint32_t)(c->image->size - c->position);
    uint32_t into = (uint32_t)(test_random() % (c->slot_bytes - most + 1));
    memcpy(c->memory + (size_t)slot * c->slot_bytes + into, c->image->bytes + c->position, most);
    c->out[slot] = true;
    fake_data(c->fd, c->arena, slot, into, most, c->position, c->generation);
    c->position += most;
  }
}

static void read_image(struct connection *c, const struct wire_read *frame) {
  struct wire_read read = *frame;
  CHECK(read.generation >= c->generation);
  if (read.generation > c->generation) {
    memset(c->out, 0, sizeof c->out);
    c->position = read.offset;
    c->generation = read.generation;
  }
  CHECK(read.offset <= c->position && read.offset < c->image->size && read.length > 0);
  if (!c->memory || (all_here(c) && test_random() % 4 == 0)) {
    new_arena(c);
    if (c->dropping) dropped(c, fake_expect(c->fd, WIRE_ARENA_DROPPED));
  }
  if (read.offset == c->position) CHECK(all_here(c)); /* the reader passed everything, so it holds nothing */
  uint64_t end = test_random() % 2 ? c->image->size : read.offset + read.length;
  send_pieces(c, end < c->image->size ? end : c->image->size);
  fake_reply_to(c->fd, read.header.call_id, WIRE_OK, "", NULL, 0);
}

static void slot_done(struct connection *c, const struct wire_slot_done *frame) {
  if (frame->generation != c->generation) return;
  CHECK(frame->arena == c->arena && frame->slot < c->slots && c->out[frame->slot]);
  c->out[frame->slot] = false;
  if (test_random() % 2) send_pieces(c, c->image->size); /* read-ahead */
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

static void open_image(struct connection *c, const char *name, bool write) {
  struct wire_image_opened body = {.state = WIRE_II_CREATED};
  c->image = find(name, write);
  if (!c->image) {
    fake_reply(c->fd, WIRE_ENOENT, "no such image", NULL, 0);
    return;
  }
  body.size = body.durable_size = c->image->size;
  fake_reply(c->fd, WIRE_OK, "", &body, sizeof body);
  if (!write) return;
  new_arena(c);
  credits(c);
}

static bool answer(struct connection *c, const struct wire_header *frame) {
  struct wire_hello_ok hello = {.major = WIRE_MAJOR};
  struct wire_closed closed = {0};
  switch (frame->type) {
    case WIRE_HELLO: fake_reply(c->fd, WIRE_OK, "", &hello, sizeof hello); break;
    case WIRE_IMAGE_CREATE: open_image(c, ((const struct wire_image_create *)frame)->def.basename, true); break;
    case WIRE_IMAGE_OPEN: {
      const struct wire_image_open *open = (const struct wire_image_open *)frame;
      open_image(c, open->def.basename, open->mode == WIRE_MODE_WRITE);
      break;
    }
    case WIRE_SUBMIT: submit(c, (const struct wire_submit *)frame); break;
    case WIRE_POPULATE: break;
    case WIRE_ARENA_DROPPED: dropped(c, (const struct wire_arena_dropped *)frame); break;
    case WIRE_READ: read_image(c, (const struct wire_read *)frame); break;
    case WIRE_SLOT_DONE: slot_done(c, (const struct wire_slot_done *)frame); break;
    case WIRE_FLUSH: CHECK_NUM(((const struct wire_flush *)frame)->sequence, c->sequence);
      fake_reply(c->fd, WIRE_OK, "", &closed, sizeof closed);
      break;
    case WIRE_CLOSE: CHECK_NUM(((const struct wire_close *)frame)->sequence, c->sequence);
      fake_reply(c->fd, WIRE_OK, "", &closed, sizeof closed);
      break;
    default: return false;
  }
  return true;
}

static void *play(void *argument) {
  struct connection *c = argument;
  test_random_start(1000 + c->number);
  for (const struct wire_header *frame = fake_take(c->fd); frame; frame = fake_take(c->fd))
    if (!answer(c, frame)) fail_at(__FILE__, __LINE__, "frame of type %u", (unsigned)frame->type);
  close(c->fd);
  if (c->dropping) fake_arena_end(c->old_memory, c->old_slots, c->old_slot_bytes);
  if (c->memory) fake_arena_end(c->memory, c->slots, c->slot_bytes);
  return NULL;
}

void model_play(struct engine *engine) {
  unsigned count = *(const unsigned *)engine->argument;
  struct connection *all = calloc(count, sizeof *all);
  CHECK(all != NULL);
  for (unsigned i = 0; i < count; i++) {
    all[i].fd = fake_accept(engine);
    all[i].number = i;
    CHECK_NUM(pthread_create(&all[i].thread, NULL, play, &all[i]), 0);
  }
  for (unsigned i = 0; i < count; i++) CHECK_NUM(pthread_join(all[i].thread, NULL), 0);
  free(all);
  for (unsigned i = 0; i < image_count; i++) free(images[i].bytes);
  image_count = 0;
}
