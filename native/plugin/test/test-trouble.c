/* The system refuses: no descriptor, no address space, no random bytes, no room in the socket or in the table. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../handle.h"
#include "../image.h"
#include "fake.h"
#include "shim.h"

#define SLOT_BYTES 8192u

static unsigned char bytes[4 * SLOT_BYTES];

TEST(a_connection_that_is_refused_says_why) {
  sts_session_t session = new_session();
  sts_server_t *server;
  int listener = engine_listen(4);
  init_plugin(10);
  shim_clock_start(NULL);
  shim_fail(SHIM_CONNECT, EACCES);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &server), STS_EPERM);
  CHECK_TEXT("may not connect");
  shim_fail(SHIM_SOCKET, EMFILE);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &server), STS_ENOMEM);
  CHECK_TEXT("cannot make a socket");
  CHECK_NUM(shim_clock_ms(), 0); /* neither gets better by waiting */
  shim_clock_stop();
  close(listener);
}

/* ---- address space ----------------------------------------------------------------------------------------------------- */

static void play_arena(struct engine *engine) {
  bool writer = *(const bool *)engine->argument;
  int server = fake_hello(engine);
  int fd = fake_image(engine, writer ? WIRE_IMAGE_CREATE : WIRE_IMAGE_OPEN, 1 << 20);
  if (!writer) (void)fake_expect(fd, WIRE_READ);
  unsigned char *memory = fake_arena(fd, 1, 1, SLOT_BYTES);
  fake_expect_end(fd);
  fake_expect_end(server);
  fake_arena_end(memory, 1, SLOT_BYTES);
}

TEST(an_arena_that_cannot_be_mapped_is_a_failure_of_ours) {
  static const enum shim_call calls[] = {SHIM_MMAP, SHIM_MADVISE};
  for (int i = 0; i < 4; i++) {
    struct engine engine;
    sts_session_t session = new_session();
    sts_image_def_t def = def_named("x");
    sts_image_t *image;
    sts_uint64_t done = 9;
    bool writer = i < 2;
    int before = open_descriptors();
    engine_start(&engine, play_arena, &writer);
    sts_server_t *server = open_server(&session);
    if (writer) image = create_image(&session, server, "x");
    else CHECK_STATUS(stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image), STS_EOK);
    shim_fail(calls[i % 2], ENOMEM);
    if (writer) CHECK_STATUS(stsp_write_image(image, NULL, bytes, 512, 0, &done), STS_ENOMEM);
    else CHECK_STATUS(stsp_read_image(image, bytes, 512, 0, &done), STS_ENOMEM);
    CHECK_NUM(done, 0);
    CHECK_TEXT("cannot map 1 slots of 8192 bytes");
    CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_ENOMEM); /* never complete without its bytes */
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
    CHECK_NUM(open_descriptors(), before);
  }
}

/* ---- writer tokens ----------------------------------------------------------------------------------------------------- */

static void play_tokens(struct engine *engine) {
  static const uint8_t zero[WIRE_TOKEN_BYTES];
  uint8_t tokens[3][WIRE_TOKEN_BYTES];
  int server = fake_hello(engine);
  for (int i = 0; i < 3; i++) {
    int fd = fake_hello(engine);
    const struct wire_image_create *frame = fake_expect(fd, WIRE_IMAGE_CREATE);
    memcpy(tokens[i], frame->token, sizeof tokens[i]);
    fake_reply(fd, WIRE_EEXIST, "it is there", NULL, 0);
    fake_expect_end(fd);
    CHECK(memcmp(tokens[i], zero, sizeof zero) != 0);
    for (int j = 0; j < i; j++) CHECK(memcmp(tokens[i], tokens[j], sizeof zero) != 0);
  }
  int fd = fake_hello(engine);
  const struct wire_image_open *frame = fake_expect(fd, WIRE_IMAGE_OPEN);
  CHECK(memcmp(frame->token, zero, sizeof zero) == 0); /* a reader has none */
  fake_reply(fd, WIRE_ENOENT, "it is not there", NULL, 0);
  fake_expect_end(fd);
  fake_expect_end(server);
}

TEST(each_open_for_write_has_a_token_of_its_own_on_old_kernels_too) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_def_t def = def_named("x");
  sts_image_t *image;
  engine_start(&engine, play_tokens, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, &image), STS_EEXIST);
  shim_fail(SHIM_SYSCALL, ENOSYS); /* getrandom came with 3.17 */
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, &image), STS_EEXIST);
  shim_fail(SHIM_SYSCALL, EINTR);
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, &image), STS_EEXIST);
  CHECK(image == NULL);
  CHECK_STATUS(stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image), STS_ENOENT);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

/* ---- an engine that takes nothing -------------------------------------------------------------------------------------- */

static pthread_barrier_t narrow;

static void play_deaf(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  pthread_barrier_wait(&narrow);
  shim_pass(30000);
  fake_skip_to_end(fd);
  fake_expect_end(server);
}

TEST(an_engine_that_takes_nothing_is_gone_after_thirty_seconds) {
  static unsigned char metadata[STS_MAX_METADATA];
  struct engine engine;
  sts_session_t session = new_session();
  sts_uint32_t done;
  int least = 1;
  CHECK_NUM(pthread_barrier_init(&narrow, NULL, 2), 0);
  shim_clock_start(NULL);
  engine_start(&engine, play_deaf, NULL);
  sts_server_t *server = open_server(&session);
  sts_image_t *image = create_image(&session, server, "x");
  const struct stsp__image *inside = stsp__handle_get(image, STSP_IMAGE);
  CHECK_NUM(setsockopt(inside->link->fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
  pthread_barrier_wait(&narrow);
  CHECK_STATUS(stsp_write_image_meta(image, metadata, sizeof metadata, 0, &done), STS_ESOCKET);
  CHECK_TEXT("took nothing");
  CHECK_STATUS(stsp_close_image(image, 0), STS_ESOCKET);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  shim_clock_stop();
  engine_join(&engine);
  pthread_barrier_destroy(&narrow);
}

/* ---- answers of the wrong length, the table full ------------------------------------------------------------------------ */

static void play_wrong_metadata(struct engine *engine) {
  const struct wire_metadata_read wrong[] = {{8, 100}, {0, 0}}; /* says 8 bytes and brings 8, for 4 that were asked for */
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  (void)fake_expect(fd, WIRE_METADATA_READ);
  fake_reply(fd, WIRE_OK, "", wrong, sizeof wrong);
  fake_expect_end(fd);
  fake_expect_end(server);
}

TEST(more_metadata_than_asked_for_is_refused) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_uint32_t got = 9;
  unsigned char small[16] = {0};
  engine_start(&engine, play_wrong_metadata, NULL);
  sts_server_t *server = open_server(&session);
  sts_image_t *image = create_image(&session, server, "x");
  CHECK_STATUS(stsp_read_image_meta(image, small, 4, 0, &got), STS_EINTERNAL);
  CHECK_NUM(got, 0);
  CHECK_NUM(small[4] + small[8], 0);
  CHECK_STATUS(stsp_close_image(image, 0), STS_EINTERNAL);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

static void play_full_table(struct engine *engine) {
  struct wire_list_opened list = {1, 0};
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  fake_closed(fd, 0); /* let go again, as it was found */
  (void)fake_expect(server, WIRE_LSU_LIST_OPEN);
  fake_reply(server, WIRE_OK, "", &list, sizeof list);
  (void)fake_expect(server, WIRE_LIST_CLOSE);
  fake_reply(server, WIRE_OK, "", NULL, 0);
  fake_expect_end(fake_hello(engine));
  fake_expect_end(server);
}

TEST(more_handles_than_there_are_places_are_refused) {
  static void *all[STSP_HANDLES_MAX];
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_def_t def = def_named("x");
  sts_image_t *image;
  sts_server_t *other;
  sts_lsu_list_t *list;
  unsigned count = 0;
  int before = open_descriptors();
  engine_start(&engine, play_full_table, NULL);
  sts_server_t *server = open_server(&session);
  while ((all[count] = stsp__handle_new(STSP_IMAGE_LIST, all)) != NULL) count++;
  CHECK_NUM(count, STSP_HANDLES_MAX - 1);
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, &image), STS_EBUSY);
  CHECK_TEXT("4096 handles");
  CHECK_STATUS(stsp_open_lsu_list(server, &list), STS_EBUSY);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &other), STS_EBUSY);
  CHECK(image == NULL && list == NULL && other == NULL);
  while (count > 0) CHECK(stsp__handle_take(all[--count], STSP_IMAGE_LIST) == all);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
  CHECK_NUM(open_descriptors(), before);
}
