/* The writer: which bytes land where, when a block is handed over, and what a failure does. */
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "../handle.h"
#include "../image.h"

#define SLOTS 2u
#define SLOT_BYTES 16384u

static unsigned char data[4 << 20];

/* An engine that plays a script, and the server connection of whoever writes to it. */
struct played {
  struct engine engine;
  sts_server_t *server;
};

static sts_image_t *begin(struct played *played, sts_session_t *session, void (*play)(struct engine *engine),
                          const void *argument) {
  *session = new_session();
  engine_start(&played->engine, play, argument);
  played->server = open_server(session);
  return create_image(session, played->server, "x");
}

static void end(struct played *played) {
  CHECK_NUM(stsp_close_server(played->server), STS_EOK);
  engine_join(&played->engine);
}

static const struct wire_submit *expect_submit(int fd, uint32_t arena, uint32_t slot, uint32_t slot_offset,
                                               uint32_t length, uint64_t offset, uint64_t sequence) {
  const struct wire_submit *frame = fake_expect(fd, WIRE_SUBMIT);
  CHECK_NUM(frame->header.length, sizeof *frame);
  CHECK_NUM(frame->header.call_id, 0);
  CHECK_NUM(frame->arena, arena);
  CHECK_NUM(frame->slot, slot);
  CHECK_NUM(frame->slot_offset, slot_offset);
  CHECK_NUM(frame->length, length);
  CHECK_NUM(frame->offset, offset);
  CHECK_NUM(frame->sequence, sequence);
  return frame;
}

static void check_memory(const unsigned char *memory, uint32_t length, uint64_t offset) {
  static _Thread_local unsigned char expected[SLOT_BYTES];
  pattern(expected, length, offset, 1);
  CHECK(memcmp(memory, expected, length) == 0);
}

static int write_at(sts_image_t *image, uint64_t offset, size_t length) {
  sts_uint64_t written = 9;
  pattern(data, length, offset, 1);
  int status = stsp_write_image(image, NULL, data, length, offset, &written);
  memset(data, 0xee, length); /* the buffer is ours again */
  CHECK_NUM(written, status == STS_EOK ? length : 0);
  return status;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

static void play_blocks(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = fake_arena(fd, 5, SLOTS, SLOT_BYTES);
  fake_credit(fd, 5, 0, 0); /* one at a time, so that it is known which slot is next */
  /* full */
  expect_submit(fd, 5, 0, 0, SLOT_BYTES, 0, 1);
  check_memory(memory, SLOT_BYTES, 0);
  fake_credit(fd, 5, 1, 0);
  /* at a jump: what was filled */
  expect_submit(fd, 5, 1, 0, 4096, SLOT_BYTES, 2);
  check_memory(memory + SLOT_BYTES, 4096, SLOT_BYTES);
  fake_credit(fd, 5, 0, 1);
  /* placed modulo 4096, so that the slot is full earlier */
  expect_submit(fd, 5, 0, 1536, SLOT_BYTES - 1536, 100 * 4096 + 1536, 3);
  check_memory(memory + 1536, SLOT_BYTES - 1536, 100 * 4096 + 1536);
  fake_credit(fd, 5, 1, 2);
  /* the rest goes on at a multiple of 4096, and comes with flush */
  expect_submit(fd, 5, 1, 0, 512, 100 * 4096 + SLOT_BYTES, 4);
  check_memory(memory + SLOT_BYTES, 512, 100 * 4096 + SLOT_BYTES);
  const struct wire_flush *flush = fake_expect(fd, WIRE_FLUSH);
  CHECK_NUM(flush->sequence, 4);
  struct wire_closed closed = {0};
  fake_credit(fd, 5, 0, 3);
  fake_reply(fd, WIRE_OK, "", &closed, sizeof closed);
  /* a rewrite goes back, and comes with close */
  expect_submit(fd, 5, 0, 512, 1024, 512, 5);
  check_memory(memory + 512, 1024, 512);
  const struct wire_close *close_frame = fake_expect(fd, WIRE_CLOSE);
  CHECK_NUM(close_frame->sequence, 5);
  CHECK_NUM(close_frame->flags, WIRE_CLOSE_COMPLETE);
  CHECK(close_frame->copy_ns > 0 && close_frame->host_wait_ns > 0 && close_frame->slot_wait_ns > 0);
  fake_reply(fd, WIRE_OK, "", &closed, sizeof closed);
  fake_expect_end(fd);
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

TEST(blocks_are_submitted_when_full_at_a_jump_at_flush_and_at_close) {
  struct played played;
  sts_session_t session;
  sts_image_t *image = begin(&played, &session, play_blocks, NULL);
  for (uint64_t offset = 0; offset < SLOT_BYTES; offset += 512) CHECK_STATUS(write_at(image, offset, 512), STS_EOK);
  CHECK_STATUS(write_at(image, SLOT_BYTES, 1024), STS_EOK);
  CHECK_STATUS(write_at(image, SLOT_BYTES + 1024, 3072), STS_EOK);
  CHECK_STATUS(write_at(image, 100 * 4096 + 1536, SLOT_BYTES - 1536 + 512), STS_EOK);
  CHECK_STATUS(stsp_flush_image(image), STS_EOK);
  CHECK_STATUS(write_at(image, 512, 1024), STS_EOK);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK);
  end(&played);
}

static void play_nothing(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  const struct wire_flush *flush = fake_expect(fd, WIRE_FLUSH);
  struct wire_closed closed = {0};
  CHECK_NUM(flush->sequence, 0);
  fake_reply(fd, WIRE_OK, "", &closed, sizeof closed);
  fake_closed(fd, 0);
  fake_expect_end(server);
}

TEST(an_image_without_bytes_needs_no_arena) {
  struct played played;
  sts_session_t session;
  sts_image_t *image = begin(&played, &session, play_nothing, NULL);
  CHECK_STATUS(stsp_flush_image(image), STS_EOK);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_INCOMPLETE), STS_EOK);
  end(&played);
}

static void play_big(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = fake_arena(fd, 1, 2, 2 << 20);
  fake_credit(fd, 1, 0, 0);
  (void)fake_expect(fd, WIRE_POPULATE);
  expect_submit(fd, 1, 0, 0, 2 << 20, 0, 1);
  fake_credit(fd, 1, 1, 0); /* the second block asks no more */
  expect_submit(fd, 1, 1, 0, 2 << 20, 2 << 20, 2);
  fake_closed(fd, WIRE_CLOSE_COMPLETE);
  CHECK_NUM(fake_populates(), 0); /* more than the one that was expected */
  fake_expect_end(server);
  fake_arena_end(memory, 2, 2 << 20);
}

TEST(slots_are_made_ready_once_the_image_is_no_small_one) {
  struct played played;
  sts_session_t session;
  sts_image_t *image = begin(&played, &session, play_big, NULL);
  CHECK_STATUS(write_at(image, 0, (2 << 20) + 4096), STS_EOK);
  const struct stsp__image *inner = stsp__handle_get(image, STSP_IMAGE);
  CHECK(inner->arena.ready[1] >= 4096); /* also by the plug-in, from a slot's first byte on */
  CHECK_STATUS(write_at(image, (2 << 20) + 4096, (2 << 20) - 4096), STS_EOK);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK);
  end(&played);
}

static void play_short_first(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = fake_arena_from(fd, 1, SLOTS, SLOT_BYTES, 4096);
  fake_credit(fd, 1, 0, 0);
  expect_submit(fd, 1, 0, 512, 4096 - 512, 512, 1);
  check_memory(memory + 512, 4096 - 512, 512);
  fake_credit(fd, 1, 1, 0);
  expect_submit(fd, 1, 1, 0, 8192, 4096, 2);
  check_memory(memory + SLOT_BYTES, 8192, 4096);
  fake_credit(fd, 1, 0, 1);
  expect_submit(fd, 1, 0, 0, SLOT_BYTES, 12288, 3);
  check_memory(memory, SLOT_BYTES, 12288);
  fake_credit(fd, 1, 1, 2);
  /* and no block is longer than a slot */
  expect_submit(fd, 1, 1, 0, SLOT_BYTES, 12288 + SLOT_BYTES, 4);
  check_memory(memory + SLOT_BYTES, SLOT_BYTES, 12288 + SLOT_BYTES);
  CHECK_NUM(fake_populates(), 1);
  fake_credit(fd, 1, 0, 3);
  expect_submit(fd, 1, 0, 0, 512, 12288 + 2 * SLOT_BYTES, 5);
  fake_closed(fd, WIRE_CLOSE_COMPLETE);
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

TEST(first_blocks_are_short_where_the_engine_says_so) {
  struct played played;
  sts_session_t session;
  sts_image_t *image = begin(&played, &session, play_short_first, NULL);
  CHECK_STATUS(write_at(image, 512, 12288 + 2 * SLOT_BYTES), STS_EOK);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK);
  end(&played);
}

/* ---- arenas ------------------------------------------------------------------------------------------------------------ */

static void play_replacement(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *big = fake_arena(fd, 1, 1, SLOT_BYTES);
  fake_credit(fd, 1, 0, 0);
  expect_submit(fd, 1, 0, 0, SLOT_BYTES, 0, 1);
  /* all slots are the engine's: a smaller arena in place of this one */
  unsigned char *small = fake_arena(fd, 2, 2, 4096);
  const struct wire_arena_dropped *dropped = fake_expect(fd, WIRE_ARENA_DROPPED);
  CHECK_NUM(dropped->arena, 1);
  fake_arena_end(big, 1, SLOT_BYTES);
  fake_credit(fd, 2, 1, 0);
  expect_submit(fd, 2, 1, 0, 4096, SLOT_BYTES, 2);
  check_memory(small + 4096, 4096, SLOT_BYTES);
  fake_credit(fd, 2, 1, 2);
  expect_submit(fd, 2, 1, 0, 512, SLOT_BYTES + 4096, 3);
  fake_closed(fd, WIRE_CLOSE_COMPLETE);
  fake_expect_end(server);
  fake_arena_end(small, 2, 4096);
}

TEST(an_arena_can_be_replaced) {
  struct played played;
  sts_session_t session;
  int before = open_descriptors();
  sts_image_t *image = begin(&played, &session, play_replacement, NULL);
  CHECK_STATUS(write_at(image, 0, SLOT_BYTES + 4096 + 512), STS_EOK);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK);
  end(&played);
  CHECK_NUM(open_descriptors(), before);
}

/* ---- failures ---------------------------------------------------------------------------------------------------------- */

enum teller { BY_WRITE, BY_WAITING_WRITE, BY_FLUSH, BY_COMPLETE, BY_INCOMPLETE, TELLERS };

static pthread_barrier_t sent;

static void play_failure(struct engine *engine) {
  enum teller teller = *(const enum teller *)engine->argument;
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
  fake_credit(fd, 1, 0, 0);
  expect_submit(fd, 1, 0, 0, SLOT_BYTES, 0, 1);
  fake_failed(fd, WIRE_ENOSPC, "no space left for image x: free some on /mnt");
  if (teller != BY_WAITING_WRITE) pthread_barrier_wait(&sent);
  fake_credit(fd, 1, 0, 0); /* dropped: with a sequence or without */
  fake_closed(fd, 0);       /* never complete: a block was lost */
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

static int tell(sts_image_t *image, enum teller teller) {
  switch (teller) {
    case BY_WRITE: return write_at(image, SLOT_BYTES, 512);
    case BY_FLUSH: return stsp_flush_image(image);
    case BY_COMPLETE: return stsp_close_image(image, STS_CLOSEF_IH_COMPLETE);
    default: return stsp_close_image(image, STS_CLOSEF_IH_INCOMPLETE);
  }
}

TEST(a_late_failure_is_told_by_the_next_call_and_stays) {
  for (enum teller teller = 0; teller < TELLERS; teller++) {
    struct played played;
    sts_session_t session;
    CHECK_NUM(pthread_barrier_init(&sent, NULL, 2), 0);
    sts_image_t *image = begin(&played, &session, play_failure, &teller);
    if (teller == BY_WAITING_WRITE) { /* no credit comes, the failure does */
      CHECK_STATUS(write_at(image, 0, 2 * SLOT_BYTES), STS_ENOSPC);
    } else {
      CHECK_STATUS(write_at(image, 0, SLOT_BYTES), STS_EOK);
      pthread_barrier_wait(&sent);
      CHECK_STATUS(tell(image, teller), STS_ENOSPC);
    }
    CHECK_TEXT("no space left for image x: free some on /mnt");
    if (teller == BY_WRITE || teller == BY_FLUSH || teller == BY_WAITING_WRITE) {
      session.error[0] = 0;
      CHECK_STATUS(write_at(image, 0, 512), STS_ENOSPC);
      CHECK_STATUS(stsp_flush_image(image), STS_ENOSPC);
      CHECK_TEXT("free some on /mnt");
      /* an incomplete close is what the engine makes of it */
      if (teller == BY_FLUSH) CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_INCOMPLETE), STS_EOK);
      else CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_ENOSPC);
    }
    CHECK_STATUS(stsp_close_image(image, 0), STS_EINVAL); /* freed, whatever was told */
    end(&played);
    pthread_barrier_destroy(&sent);
  }
}

static void play_failing_close(struct engine *engine) {
  bool flush = *(const bool *)engine->argument;
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  (void)fake_expect(fd, WIRE_FLUSH);
  fake_reply(fd, WIRE_EINVAL, "bytes from 512 to 1024 were never written", NULL, 0);
  (void)fake_expect(fd, flush ? WIRE_FLUSH : WIRE_CLOSE);
  fake_failed(fd, WIRE_ESYSTEM, "write of image x failed: EIO");
  fake_reply(fd, WIRE_OK, "", (const struct wire_closed[]){{0}}, sizeof(struct wire_closed));
  if (flush) fake_closed(fd, 0);
  else fake_expect_end(fd);
  fake_expect_end(server);
}

TEST(a_failure_that_comes_during_flush_or_close_is_no_success) {
  for (int i = 0; i < 2; i++) {
    struct played played;
    sts_session_t session;
    bool flush = i == 0;
    sts_image_t *image = begin(&played, &session, play_failing_close, &flush);
    CHECK_STATUS(stsp_flush_image(image), STS_EINVAL);
    CHECK_TEXT("bytes from 512 to 1024 were never written");
    if (flush) CHECK_STATUS(stsp_flush_image(image), STS_ESYSTEM);
    CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_ESYSTEM);
    CHECK_TEXT("EIO");
    end(&played);
  }
}

static void play_said_before_it_died(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = fake_arena(fd, 1, 1, SLOT_BYTES);
  fake_credit(fd, 1, 0, 0);
  expect_submit(fd, 1, 0, 0, SLOT_BYTES, 0, 1);
  fake_failed(fd, WIRE_EGONE, "image x was taken over");
  close(fd);
  pthread_barrier_wait(&sent);
  fake_expect_end(server);
  fake_arena_end(memory, 1, SLOT_BYTES);
}

TEST(what_the_engine_said_counts_for_more_than_that_it_went) {
  struct played played;
  sts_session_t session;
  CHECK_NUM(pthread_barrier_init(&sent, NULL, 2), 0);
  sts_image_t *image = begin(&played, &session, play_said_before_it_died, NULL);
  CHECK_STATUS(write_at(image, 0, SLOT_BYTES), STS_EOK);
  pthread_barrier_wait(&sent);
  CHECK_STATUS(write_at(image, SLOT_BYTES, 512), STS_EGONE);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EGONE);
  end(&played);
  pthread_barrier_destroy(&sent);
}
