/* The reader: what is asked for, what is given back, generations, and ends that are no ends. */
#include <string.h>
#include <unistd.h>

#include "fake.h"

#define SLOTS 3u
#define SLOT_BYTES 8192u
#define SIZE 40960u /* of the image: five slots */

static unsigned char buffer[1 << 17];

static void expect_read(int fd, uint64_t offset, uint32_t length, uint32_t generation) {
  const struct wire_read *frame = fake_expect(fd, WIRE_READ);
  CHECK_NUM(frame->header.length, sizeof *frame);
  CHECK_NUM(frame->offset, offset);
  CHECK_NUM(frame->length, length);
  CHECK_NUM(frame->generation, generation);
}

/* fake_reply answers the last frame taken, so replies come before SLOT_DONE is taken. */
static void ok(int fd) { fake_reply(fd, WIRE_OK, "", NULL, 0); }

static void expect_done(int fd, uint32_t slot, uint32_t generation) {
  const struct wire_slot_done *frame = fake_expect(fd, WIRE_SLOT_DONE);
  CHECK_NUM(frame->arena, 1);
  CHECK_NUM(frame->slot, slot);
  CHECK_NUM(frame->generation, generation);
}

static void fill(int fd, unsigned char *memory, uint32_t slot, uint64_t offset, uint32_t length, uint32_t generation) {
  pattern(memory + slot * SLOT_BYTES, length, offset, 2);
  fake_data(fd, 1, slot, 0, length, offset, generation);
}

/* Reads and compares; what lies behind is left alone. */
static int read_at(sts_image_t *image, uint64_t offset, size_t length, uint64_t expected) {
  static unsigned char right[sizeof buffer];
  sts_uint64_t got = 99;
  memset(buffer, 0xdd, sizeof buffer);
  int status = stsp_read_image(image, buffer, length, offset, &got);
  if (status == STS_EOK) CHECK_NUM(got, expected);
  else CHECK_NUM(got, 0);
  pattern(right, (size_t)got, offset, 2);
  CHECK(memcmp(buffer, right, (size_t)got) == 0);
  if (status == STS_EOK)
    for (size_t i = (size_t)got; i < length + 16; i++) CHECK_NUM(buffer[i], 0xdd);
  return status;
}

static sts_image_t *open_image(sts_session_t *session, sts_server_t *server) {
  sts_image_def_t def = def_named("x");
  sts_image_t *image;
  CHECK_STATUS_OF(session, stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image), STS_EOK);
  return image;
}

static void run_script(void (*script)(struct engine *engine), void (*body)(sts_session_t *session, sts_image_t *image)) {
  struct engine engine;
  sts_session_t session = new_session();
  int before = open_descriptors();
  engine_start(&engine, script, NULL);
  sts_server_t *server = open_server(&session);
  body(&session, open_image(&session, server));
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
  CHECK_NUM(open_descriptors(), before);
}

/* ---- in order ---------------------------------------------------------------------------------------------------------- */

static void play_sequential(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_OPEN, SIZE);
  expect_read(fd, 0, 4096, 0);
  unsigned char *memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
  fill(fd, memory, 0, 0, SLOT_BYTES, 0);
  ok(fd);
  expect_done(fd, 0, 0); /* passed by the second read */
  expect_read(fd, SLOT_BYTES, 4096, 0);
  fill(fd, memory, 1, SLOT_BYTES, SLOT_BYTES, 0);
  fill(fd, memory, 2, 2 * SLOT_BYTES, SLOT_BYTES, 0); /* read-ahead */
  ok(fd);
  expect_done(fd, 1, 0);
  expect_done(fd, 2, 0);
  expect_read(fd, 3 * SLOT_BYTES, SIZE - 3 * SLOT_BYTES, 0); /* never asked beyond the end */
  fill(fd, memory, 0, 3 * SLOT_BYTES, SLOT_BYTES, 0);
  ok(fd);
  expect_done(fd, 0, 0);
  expect_read(fd, 4 * SLOT_BYTES, SIZE - 4 * SLOT_BYTES, 0); /* the rest of the same call */
  fill(fd, memory, 1, 4 * SLOT_BYTES, SLOT_BYTES, 0);
  ok(fd);
  expect_done(fd, 1, 0);
  fake_closed(fd, 0);
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

static void body_sequential(sts_session_t *out, sts_image_t *image) {
  (void)out;
  CHECK_NUM(read_at(image, 0, 4096, 4096), STS_EOK);
  CHECK_NUM(read_at(image, 4096, 4096, 4096), STS_EOK);
  for (uint64_t offset = SLOT_BYTES; offset < 3 * SLOT_BYTES; offset += 4096)
    CHECK_NUM(read_at(image, offset, 4096, 4096), STS_EOK);
  CHECK_NUM(read_at(image, 3 * SLOT_BYTES, 100000, SIZE - 3 * SLOT_BYTES), STS_EOK);
  CHECK_NUM(read_at(image, SIZE, 4096, 0), STS_EOK); /* at the end, and behind it: no frame */
  CHECK_NUM(read_at(image, SIZE + 1, 1, 0), STS_EOK);
  CHECK_NUM(read_at(image, UINT64_MAX - 10, 10, 0), STS_EOK);
  CHECK_NUM(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK); /* of a reader the flags are ignored */
}

TEST(sequential_reads_pass_slots_and_stop_at_the_end) { run_script(play_sequential, body_sequential); }

/* ---- jumps ------------------------------------------------------------------------------------------------------------- */

static void play_jumps(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_OPEN, SIZE);
  expect_read(fd, 1000, 100, 1); /* the first read that does not begin at 0 is a jump */
  unsigned char *memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
  fill(fd, memory, 0, 0, 1024, 0); /* of the generation before: ignored */
  pattern(memory + SLOT_BYTES + 1000, 200, 1000, 2);
  fake_data(fd, 1, 1, 1000, 200, 1000, 1);
  ok(fd);
  expect_read(fd, 30000, 50, 2); /* a jump: slot 1 is the engine's again, without a word */
  fill(fd, memory, 1, 29696, SLOT_BYTES, 2);
  fill(fd, memory, 2, 29696 + SLOT_BYTES, SIZE - 29696 - SLOT_BYTES, 2);
  ok(fd);
  expect_done(fd, 1, 2); /* jumped over by the read in slot 2 */
  expect_read(fd, 29696, 512, 3);
  fill(fd, memory, 0, 29696, 512, 3);
  ok(fd);
  expect_done(fd, 0, 3);
  fake_closed(fd, 0);
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

static void body_jumps(sts_session_t *out, sts_image_t *image) {
  (void)out;
  CHECK_NUM(read_at(image, 1000, 100, 100), STS_EOK);
  CHECK_NUM(read_at(image, 1050, 20, 20), STS_EOK); /* back and forth within a slot that is held: no frame */
  CHECK_NUM(read_at(image, 1000, 1, 1), STS_EOK);
  CHECK_NUM(read_at(image, 30000, 50, 50), STS_EOK);
  CHECK_NUM(read_at(image, SIZE - 10, 5, 5), STS_EOK);
  CHECK_NUM(read_at(image, 29696, 512, 512), STS_EOK);
  CHECK_NUM(stsp_close_image(image, 0), STS_EOK);
}

TEST(jumps_raise_the_generation) { run_script(play_jumps, body_jumps); }

static void play_gap(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_OPEN, SIZE);
  expect_read(fd, 0, 512, 0);
  unsigned char *memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
  fill(fd, memory, 0, 0, 512, 0);
  fill(fd, memory, 1, 8192, 512, 0); /* against the rules: a gap */
  ok(fd);
  expect_done(fd, 0, 0);
  expect_read(fd, 512, 512, 1); /* all slots are the engine's again: it could have none left to go on with */
  fill(fd, memory, 1, 512, 512, 1);
  ok(fd);
  expect_done(fd, 1, 1);
  fake_closed(fd, 0);
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

static void body_gap(sts_session_t *out, sts_image_t *image) {
  (void)out;
  CHECK_NUM(read_at(image, 0, 512, 512), STS_EOK);
  CHECK_NUM(read_at(image, 512, 512, 512), STS_EOK);
  CHECK_NUM(stsp_close_image(image, 0), STS_EOK);
}

TEST(slots_that_lie_ahead_do_not_stop_a_reader) { run_script(play_gap, body_gap); }

/* ---- arena, damage ----------------------------------------------------------------------------------------------------- */

static void play_growth(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_OPEN, SIZE);
  expect_read(fd, 0, SLOT_BYTES, 0);
  unsigned char *memory = fake_arena(fd, 1, 1, SLOT_BYTES);
  fill(fd, memory, 0, 0, SLOT_BYTES, 0);
  ok(fd);
  expect_done(fd, 0, 0);
  expect_read(fd, SLOT_BYTES, 2 * SLOT_BYTES, 0);
  unsigned char *big = fake_arena(fd, 2, 2, 2 * SLOT_BYTES); /* while the call waits */
  uint64_t call_id = 4; /* HELLO, OPEN, READ, READ */
  const struct wire_arena_dropped *dropped = fake_expect(fd, WIRE_ARENA_DROPPED);
  CHECK_NUM(dropped->arena, 1);
  pattern(big + 2 * SLOT_BYTES, 2 * SLOT_BYTES, SLOT_BYTES, 2);
  fake_data(fd, 2, 1, 0, 2 * SLOT_BYTES, SLOT_BYTES, 0);
  fake_reply_to(fd, call_id, WIRE_OK, "", NULL, 0);
  const struct wire_slot_done *done = fake_expect(fd, WIRE_SLOT_DONE);
  CHECK_NUM(done->arena, 2);
  fake_closed(fd, 0);
  fake_expect_end(server);
  fake_arena_end(memory, 1, SLOT_BYTES);
  fake_arena_end(big, 2, 2 * SLOT_BYTES);
}

static void body_growth(sts_session_t *out, sts_image_t *image) {
  (void)out;
  CHECK_NUM(read_at(image, 0, SLOT_BYTES, SLOT_BYTES), STS_EOK);
  CHECK_NUM(read_at(image, SLOT_BYTES, 2 * SLOT_BYTES, 2 * SLOT_BYTES), STS_EOK);
  CHECK_NUM(stsp_close_image(image, 0), STS_EOK);
}

static void play_damage(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_OPEN, SIZE);
  expect_read(fd, 0, 2 * SLOT_BYTES, 0);
  unsigned char *memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
  fill(fd, memory, 0, 0, SLOT_BYTES, 0);
  ok(fd);
  expect_done(fd, 0, 0);
  expect_read(fd, SLOT_BYTES, SLOT_BYTES, 0);
  fake_reply(fd, WIRE_EDAMAGED, "image x is damaged at offset 8192", NULL, 0);
  expect_read(fd, 0, 100, 1); /* and the handle goes on */
  fill(fd, memory, 0, 0, SLOT_BYTES, 1);
  ok(fd);
  fake_closed(fd, 0);
  fake_expect_end(server);
  fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

static void body_damage(sts_session_t *out, sts_image_t *image) {
  CHECK_NUM(read_at(image, 0, 2 * SLOT_BYTES, 0), STS_EDAMAGED); /* as a whole */
  CHECK(contains(out->error, "damaged at offset 8192"));
  CHECK_NUM(read_at(image, 0, 100, 100), STS_EOK);
  CHECK_NUM(stsp_close_image(image, 0), STS_EOK);
}

TEST(a_damaged_range_fails_as_a_whole) { run_script(play_damage, body_damage); }

TEST(a_reader_takes_a_bigger_arena) { run_script(play_growth, body_growth); }
