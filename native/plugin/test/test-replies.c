/* A buggy or hostile engine: each wrong frame ends the connection with STS_EINTERNAL, and nothing is touched or leaked. */
#include <string.h>
#include <unistd.h>

#include "fake.h"

/* ---- replies on a server connection ----------------------------------------------------------------------------------- */


#define REPLY(length_, type_, flags_, call_, status_, text_, body_) \
  { {length_, type_, flags_, call_}, status_, 0, text_, body_ }

/* The call is the second of its connection: HELLO is 1. */
static const struct {
  const char *name;
  int status;
  size_t extra; /* bytes of 'A' behind the reply's head */
  struct wire_reply reply;
} heads[] = {
    {"a frame shorter than its header", STS_EINTERNAL, 0, REPLY(15, WIRE_REPLY, 0, 2, 0, 0, 0)},
    {"a frame of no length", STS_EINTERNAL, 0, REPLY(0, WIRE_REPLY, 0, 2, 0, 0, 0)},
    {"a frame that is too long", STS_EINTERNAL, 0, REPLY(WIRE_FRAME_MAX + 1, WIRE_REPLY, 0, 2, 0, 0, 0)},
    {"a frame of 4 GiB", STS_EINTERNAL, 0, REPLY(UINT32_MAX, WIRE_REPLY, 0, 2, 0, 0, 0)},
    {"flags", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 1, 2, 0, 0, 0)},
    {"a frame of unknown type", STS_EINTERNAL, 0, REPLY(32, 999, 0, 2, 0, 0, 0)},
    {"a frame of the wrong direction", STS_EINTERNAL, 0, REPLY(32, WIRE_LSU_PROP, 0, 2, 0, 0, 0)},
    {"a frame for images", STS_EINTERNAL, 0, REPLY(32, WIRE_SLOT_FREE, 0, 2, 0, 0, 0)},
    {"an arena for a server", STS_EINTERNAL, 0, REPLY(32, WIRE_ARENA, 0, 2, 0, 0, 0)},
    {"a reply to another call", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 1, 0, 0, 0)},
    {"a reply to no call", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 0, 0, 0, 0)},
    {"a reply that is cut", STS_EINTERNAL, 0, REPLY(24, WIRE_REPLY, 0, 2, 0, 0, 0)},
    {"still working with a tail", STS_EINTERNAL, 0, REPLY(32, WIRE_STILL_WORKING, 0, 2, 0, 0, 0)},
    {"an unknown status", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 2, 77, 0, 0)},
    {"a status beyond int", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 2, UINT32_MAX, 0, 0)},
    {"text longer than the frame", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 2, WIRE_ENOENT, 8, 0)},
    {"text longer than allowed", STS_EINTERNAL, 1032, REPLY(32 + 1032, WIRE_REPLY, 0, 2, WIRE_ENOENT, 1025, 0)},
    {"text of 4 GiB", STS_EINTERNAL, 8, REPLY(40, WIRE_REPLY, 0, 2, WIRE_ENOENT, UINT32_MAX, 0)},
    {"text and body that overflow", STS_EINTERNAL, 8,
     REPLY(40, WIRE_REPLY, 0, 2, WIRE_OK, 8, UINT32_MAX - 7)},
    {"body longer than the frame", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 2, 0, 0, sizeof(struct wire_lsu_info))},
    {"no body", STS_EINTERNAL, 0, REPLY(32, WIRE_REPLY, 0, 2, 0, 0, 0)},
    {"a body that is too short", STS_EINTERNAL, 8, REPLY(40, WIRE_REPLY, 0, 2, 0, 0, 8)},
    {"a body that is too long", STS_EINTERNAL, sizeof(struct wire_lsu_info) + 8,
     REPLY(32 + sizeof(struct wire_lsu_info) + 8, WIRE_REPLY, 0, 2, 0, 0, sizeof(struct wire_lsu_info) + 8)},
    {"a label without end", STS_EINTERNAL, sizeof(struct wire_lsu_info),
     REPLY(32 + sizeof(struct wire_lsu_info), WIRE_REPLY, 0, 2, 0, 0, sizeof(struct wire_lsu_info))},
    {"the end in the middle of a header", STS_ESOCKET, 0, REPLY(7, WIRE_REPLY, 0, 2, 0, 0, 0)}, /* cut below */
    {"the end in the middle of a reply", STS_ESOCKET, 0, REPLY(64, WIRE_REPLY, 0, 2, 0, 0, 32)},
    /* and two that are right, so that the table proves something */
    {"a failure without a text", STS_EBUSY, 0, REPLY(32, WIRE_REPLY, 0, 2, WIRE_EBUSY, 0, 0)},
    {"the longest text", STS_EBUSY, 1024, REPLY(32 + 1024, WIRE_REPLY, 0, 2, WIRE_EBUSY, 1024, 0)},
};

static void send_head(struct engine *engine) {
  size_t i = *(const size_t *)engine->argument;
  unsigned char bytes[8192];
  int fd = fake_hello(engine);
  (void)fake_expect(fd, WIRE_LSU_PROP);
  memcpy(bytes, &heads[i].reply, sizeof heads[i].reply);
  memset(bytes + sizeof heads[i].reply, 'A', heads[i].extra);
  bool cut = contains(heads[i].name, "middle of a header");
  fake_send(fd, bytes, cut ? 7 : sizeof heads[i].reply + heads[i].extra);
  if (heads[i].status == STS_ESOCKET) close(fd);
  else fake_expect_end(fd);
}

TEST(wrong_replies_end_the_connection) {
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    struct engine engine;
    sts_session_t session = new_session();
    sts_lsu_info_t info;
    int before = open_descriptors();
    engine_start(&engine, send_head, &i);
    sts_server_t *server = open_server(&session);
    int status = stsp_get_lsu_prop_byname(server, "lsu", &info);
    if (status != heads[i].status)
      fail_at(__FILE__, __LINE__, "%s: status %d: %s", heads[i].name, status, session.error);
    if (status == STS_EINTERNAL || status == STS_ESOCKET) { /* dead for good, and nothing waits */
      CHECK_STATUS(stsp_get_lsu_prop_byname(server, "lsu", &info), status);
      CHECK_TEXT(run_path("engine.sock"));
    }
    CHECK(strlen(session.error) > 8 && strlen(session.error) < sizeof session.error);
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
    CHECK_NUM(open_descriptors(), before);
  }
}

static void answer_other_call(struct engine *engine) {
  int fd = fake_hello(engine);
  const struct wire_header *frame = fake_expect(fd, WIRE_LSU_CREATE);
  fake_reply_to(fd, frame->call_id + 1, WIRE_OK, "", NULL, 0);
  fake_expect_end(fd);
}

TEST(a_reply_to_another_call_is_no_success) {
  struct engine engine;
  sts_session_t session = new_session();
  engine_start(&engine, answer_other_call, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_create_lsu(server, "lsu"), STS_EINTERNAL);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

/* ---- frames on an image connection ------------------------------------------------------------------------------------ */

#define SLOTS 2u
#define SLOT_BYTES 8192u

enum wrong {
  ARENA_WITHOUT_DESCRIPTOR, ARENA_WITH_TWO, ARENA_WITH_MANY, ARENA_NOT_SEALED, ARENA_TOO_SMALL, ARENA_NO_MEMFD,
  ARENA_NO_SLOTS, ARENA_65_SLOTS, ARENA_NO_BYTES, ARENA_ODD_BYTES, ARENA_ODD_FIRST, ARENA_LONG_FIRST,
  ARENA_SAME_NUMBER, ARENA_CUT, ARENA_WHILE_CREDITED,
  CREDIT_BEFORE_ARENA, CREDIT_OTHER_ARENA, CREDIT_NO_SUCH_SLOT, CREDIT_TWICE, CREDIT_OTHER_SEQUENCE, CREDIT_CUT,
  CREDIT_WHILE_FILLING,
  FAILED_CUT, FAILED_LONG_TEXT, FAILED_OK, DATA_TO_WRITER, DESCRIPTOR_WITH_CREDIT, WRITER_FRAMES_END,
  DATA_BEFORE_ARENA, DATA_OTHER_ARENA, DATA_NO_SUCH_SLOT, DATA_TWICE, DATA_EMPTY, DATA_OVER_SLOT, DATA_OFFSET_OVER_SLOT,
  DATA_LENGTH_WRAPS, DATA_BEHIND_END, DATA_OFFSET_WRAPS, DATA_OF_THE_FUTURE, DATA_CUT, DATA_ELSEWHERE, NO_DATA,
  CREDIT_TO_READER, FAILED_TO_READER, ARENA_WHILE_HELD, READER_FRAMES_END
};

static void send_arena(int fd, uint32_t arena, uint32_t slots, uint32_t slot_bytes, int memory, size_t descriptors) {
  struct wire_arena frame = {{sizeof frame, WIRE_ARENA, 0, 0}, arena, slots, slot_bytes, 0};
  int all[8] = {memory, memory, memory, memory, memory, memory, memory, memory};
  fake_send_with(fd, &frame, sizeof frame, all, descriptors);
  close(memory);
}

static void send_wrong_arena(int fd, enum wrong wrong) {
  size_t bytes = SLOTS * SLOT_BYTES;
  struct wire_arena cut = {{24, WIRE_ARENA, 0, 0}, 1, SLOTS, 0, 0};
  int memory = fake_memory(bytes, true);
  int pipes[2];
  switch (wrong) {
    case ARENA_WITHOUT_DESCRIPTOR: send_arena(fd, 1, SLOTS, SLOT_BYTES, memory, 0); return;
    case ARENA_WITH_TWO: send_arena(fd, 1, SLOTS, SLOT_BYTES, memory, 2); return;
    case ARENA_WITH_MANY: send_arena(fd, 1, SLOTS, SLOT_BYTES, memory, 8); return;
    case ARENA_NOT_SEALED: send_arena(fd, 1, SLOTS, SLOT_BYTES, fake_memory(bytes, false), 1); break;
    case ARENA_TOO_SMALL: send_arena(fd, 1, SLOTS, SLOT_BYTES, fake_memory(bytes - 1, true), 1); break;
    case ARENA_NO_MEMFD:
      CHECK_NUM(pipe(pipes), 0);
      close(pipes[1]);
      send_arena(fd, 1, SLOTS, SLOT_BYTES, pipes[0], 1);
      break;
    case ARENA_NO_SLOTS: send_arena(fd, 1, 0, SLOT_BYTES, memory, 1); return;
    case ARENA_65_SLOTS: send_arena(fd, 1, 65, 4096, fake_memory(65 * 4096, true), 1); break;
    case ARENA_NO_BYTES: send_arena(fd, 1, SLOTS, 0, memory, 1); return;
    case ARENA_ODD_BYTES: send_arena(fd, 1, 1, 4096 + 512, memory, 1); return;
    case ARENA_ODD_FIRST: fake_arena_end(fake_arena_from(fd, 1, SLOTS, SLOT_BYTES, 4096 + 512), SLOTS, SLOT_BYTES); break;
    case ARENA_LONG_FIRST: fake_arena_end(fake_arena_from(fd, 1, SLOTS, SLOT_BYTES, 2 * SLOT_BYTES), SLOTS, SLOT_BYTES); break;
    case ARENA_CUT: fake_send_with(fd, &cut, 24, &memory, 1); break;
    default: fail_at(__FILE__, __LINE__, "%d", (int)wrong);
  }
  close(memory);
}

static pthread_barrier_t credited;

static void send_writer_frame(int fd, enum wrong wrong) {
  struct wire_slot_free cut_credit = {{24, WIRE_SLOT_FREE, 0, 0}, 1, 0, 0};
  struct wire_failed failed = {{sizeof failed, WIRE_FAILED, 0, 0}, WIRE_ENOSPC, 0, 0, 0};
  int memory;
  switch (wrong) {
    case ARENA_SAME_NUMBER: send_arena(fd, 1, SLOTS, SLOT_BYTES, fake_memory(SLOTS * SLOT_BYTES, true), 1); break;
    case ARENA_WHILE_CREDITED: /* a write of half a slot leaves one of the two unused */
      fake_credit(fd, 1, 0, 0);
      fake_credit(fd, 1, 1, 0);
      send_arena(fd, 2, SLOTS, SLOT_BYTES, fake_memory(SLOTS * SLOT_BYTES, true), 1);
      break;
    case CREDIT_OTHER_ARENA: fake_credit(fd, 2, 0, 0); break;
    case CREDIT_NO_SUCH_SLOT: fake_credit(fd, 1, SLOTS, 0); break;
    case CREDIT_TWICE: fake_credit(fd, 1, 0, 0); fake_credit(fd, 1, 0, 0); break;
    case CREDIT_WHILE_FILLING:
      fake_credit(fd, 1, 0, 0);
      (void)fake_expect(fd, WIRE_POPULATE); /* half of the slot is filled */
      fake_credit(fd, 1, 0, 0);
      pthread_barrier_wait(&credited);
      break;
    case CREDIT_OTHER_SEQUENCE: fake_credit(fd, 1, 0, 5); break;
    case CREDIT_CUT: fake_send(fd, &cut_credit, 24); break;
    case FAILED_CUT: failed.header.length = 24; fake_send(fd, &failed, 24); break;
    case FAILED_LONG_TEXT: failed.text_length = 1; fake_send(fd, &failed, sizeof failed); break;
    case FAILED_OK: failed.status = WIRE_OK; fake_send(fd, &failed, sizeof failed); break;
    case DATA_TO_WRITER: fake_data(fd, 1, 0, 0, 512, 0, 0); break;
    case DESCRIPTOR_WITH_CREDIT: { /* closed, and the frame is taken */
      struct wire_slot_free credit = {{sizeof credit, WIRE_SLOT_FREE, 0, 0}, 1, 0, 0};
      memory = fake_memory(4096, true);
      fake_send_with(fd, &credit, sizeof credit, &memory, 1);
      close(memory);
      break;
    }
    default: fail_at(__FILE__, __LINE__, "%d", (int)wrong);
  }
}

static void play_writer(struct engine *engine) {
  enum wrong wrong = *(const enum wrong *)engine->argument;
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = NULL;
  if (wrong == CREDIT_BEFORE_ARENA) {
    fake_credit(fd, 0, 0, 0);
  } else if (wrong <= ARENA_LONG_FIRST || wrong == ARENA_CUT) {
    send_wrong_arena(fd, wrong);
  } else {
    memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
    send_writer_frame(fd, wrong);
  }
  if (wrong == DESCRIPTOR_WITH_CREDIT) {
    (void)fake_expect(fd, WIRE_SUBMIT);
    fake_closed(fd, WIRE_CLOSE_COMPLETE);
  } else {
    fake_skip_to_end(fd);
  }
  fake_expect_end(server);
  if (memory) fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

TEST(wrong_frames_to_a_writer) {
  static unsigned char bytes[1 << 16];
  CHECK_NUM(pthread_barrier_init(&credited, NULL, 2), 0);
  for (enum wrong wrong = 0; wrong < WRITER_FRAMES_END; wrong++) {
    struct engine engine;
    sts_session_t session = new_session();
    int before = open_descriptors();
    bool good = wrong == DESCRIPTOR_WITH_CREDIT;
    engine_start(&engine, play_writer, &wrong);
    sts_server_t *server = open_server(&session);
    sts_image_t *image = create_image(&session, server, "x");
    /* more than there are slots, so that the write waits and sees the frame; in some cases the close does */
    bool later = wrong == ARENA_WHILE_CREDITED || wrong == CREDIT_WHILE_FILLING;
    int status = stsp_write_image(image, NULL, bytes, good || later ? SLOT_BYTES / 2 : sizeof bytes, 0, NULL);
    if (wrong == CREDIT_WHILE_FILLING) pthread_barrier_wait(&credited);
    if (status != (good ? STS_EOK : STS_EINTERNAL) && !(later && status == STS_EOK))
      fail_at(__FILE__, __LINE__, "wrong frame %d: status %d: %s", (int)wrong, status, session.error);
    CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), good ? STS_EOK : STS_EINTERNAL);
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
    CHECK_NUM(open_descriptors(), before);
  }
  pthread_barrier_destroy(&credited);
}

static void send_reader_frame(int fd, enum wrong wrong) {
  struct wire_data cut = {{40, WIRE_DATA, 0, 0}, 1, 0, 0, 512, 0, 0, 0};
  switch (wrong) {
    case DATA_OTHER_ARENA: fake_data(fd, 2, 0, 0, 512, 0, 0); break;
    case DATA_NO_SUCH_SLOT: fake_data(fd, 1, SLOTS, 0, 512, 0, 0); break;
    case DATA_TWICE: fake_data(fd, 1, 0, 0, 512, 0, 0); fake_data(fd, 1, 0, 0, 512, 0, 0); break;
    case DATA_EMPTY: fake_data(fd, 1, 0, 0, 0, 0, 0); break;
    case DATA_OVER_SLOT: fake_data(fd, 1, 0, 512, SLOT_BYTES, 0, 0); break;
    case DATA_OFFSET_OVER_SLOT: fake_data(fd, 1, 0, SLOT_BYTES + 512, 512, 0, 0); break;
    case DATA_LENGTH_WRAPS: fake_data(fd, 1, 0, 4096, UINT32_MAX - 4095, 0, 0); break;
    case DATA_BEHIND_END: fake_data(fd, 1, 0, 0, 1024, (1 << 20) - 512, 0); break;
    case DATA_OFFSET_WRAPS: fake_data(fd, 1, 0, 0, 1024, UINT64_MAX - 511, 0); break;
    case DATA_OF_THE_FUTURE: fake_data(fd, 1, 0, 0, 512, 0, 1); break;
    case DATA_CUT: fake_send(fd, &cut, 40); break;
    case DATA_ELSEWHERE: fake_data(fd, 1, 0, 0, 512, 4096, 0); break;
    case NO_DATA: break;
    case CREDIT_TO_READER: fake_credit(fd, 1, 0, 0); break;
    case FAILED_TO_READER: fake_failed(fd, WIRE_EDAMAGED, "no"); break;
    case ARENA_WHILE_HELD:
      fake_data(fd, 1, 0, 0, 512, 0, 0);
      send_arena(fd, 2, SLOTS, SLOT_BYTES, fake_memory(SLOTS * SLOT_BYTES, true), 1);
      break;
    default: fail_at(__FILE__, __LINE__, "%d", (int)wrong);
  }
}

static void play_reader(struct engine *engine) {
  enum wrong wrong = *(const enum wrong *)engine->argument;
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_OPEN, 1 << 20);
  unsigned char *memory = NULL;
  const struct wire_read *read = fake_expect(fd, WIRE_READ);
  uint64_t call_id = read->header.call_id;
  if (wrong == DATA_BEFORE_ARENA) {
    fake_data(fd, 0, 0, 0, 512, 0, 0);
  } else {
    memory = fake_arena(fd, 1, SLOTS, SLOT_BYTES);
    send_reader_frame(fd, wrong);
  }
  fake_reply_to(fd, call_id, WIRE_OK, "", NULL, 0);
  fake_skip_to_end(fd);
  fake_expect_end(server);
  if (memory) fake_arena_end(memory, SLOTS, SLOT_BYTES);
}

TEST(wrong_frames_to_a_reader) {
  unsigned char bytes[512];
  for (enum wrong wrong = WRITER_FRAMES_END + 1; wrong < READER_FRAMES_END; wrong++) {
    struct engine engine;
    sts_session_t session = new_session();
    sts_image_def_t def = def_named("x");
    sts_image_t *image;
    sts_uint64_t got = 9;
    int before = open_descriptors();
    engine_start(&engine, play_reader, &wrong);
    sts_server_t *server = open_server(&session);
    CHECK_STATUS(stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image), STS_EOK);
    int status = stsp_read_image(image, bytes, sizeof bytes, 0, &got);
    if (status != STS_EINTERNAL || got != 0)
      fail_at(__FILE__, __LINE__, "wrong frame %d: status %d: %s", (int)wrong, status, session.error);
    CHECK_STATUS(stsp_close_image(image, 0), STS_EINTERNAL);
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
    CHECK_NUM(open_descriptors(), before);
  }
}
