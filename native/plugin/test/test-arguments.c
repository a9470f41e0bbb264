/* What no engine hears of: arguments that can never work, handles that are none, the wrong mode. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../handle.h"
#include "fake.h"

/* ---- handles ----------------------------------------------------------------------------------------------------------- */

TEST(a_handle_that_was_closed_is_told) {
  int a = 1, b = 2;
  void *first = stsp__handle_new(STSP_SERVER, &a);
  void *second = stsp__handle_new(STSP_IMAGE, &b);
  CHECK(first && second && first != second);
  CHECK(stsp__handle_get(first, STSP_SERVER) == &a && stsp__handle_get(second, STSP_IMAGE) == &b);
  CHECK(!stsp__handle_get(first, STSP_IMAGE) && !stsp__handle_take(second, STSP_SERVER));
  CHECK(!stsp__handle_get(NULL, STSP_SERVER));
  CHECK(stsp__handle_take(first, STSP_SERVER) == &a);
  CHECK(!stsp__handle_get(first, STSP_SERVER) && !stsp__handle_take(first, STSP_SERVER));
  for (unsigned i = 0; i < 2 * STSP_HANDLES_MAX; i++) { /* the place is used again; the old handle stays dead */
    void *next = stsp__handle_new(STSP_SERVER, &b);
    CHECK(next && next != first && next != second);
    CHECK(!stsp__handle_get(first, STSP_SERVER));
    CHECK(stsp__handle_take(next, STSP_SERVER) == &b);
  }
  CHECK(stsp__handle_take(second, STSP_IMAGE) == &b);
}

TEST(handles_have_a_limit) {
  static void *all[STSP_HANDLES_MAX];
  int object;
  for (unsigned i = 0; i < STSP_HANDLES_MAX; i++) CHECK((all[i] = stsp__handle_new(STSP_IMAGE_LIST, &object)) != NULL);
  CHECK(stsp__handle_new(STSP_IMAGE_LIST, &object) == NULL);
  for (unsigned i = 0; i < STSP_HANDLES_MAX; i++) CHECK(stsp__handle_take(all[i], STSP_IMAGE_LIST) == &object);
}

static void *churn(void *argument) {
  for (int i = 0; i < 20000; i++) {
    void *handle = stsp__handle_new(STSP_IMAGE, argument);
    CHECK(handle && stsp__handle_get(handle, STSP_IMAGE) == argument);
    CHECK(stsp__handle_take(handle, STSP_IMAGE) == argument && !stsp__handle_take(handle, STSP_IMAGE));
  }
  return NULL;
}

TEST(threads_share_the_table_of_handles) {
  pthread_t threads[4];
  int objects[4];
  for (int i = 0; i < 4; i++) CHECK_NUM(pthread_create(&threads[i], NULL, churn, &objects[i]), 0);
  for (int i = 0; i < 4; i++) CHECK_NUM(pthread_join(threads[i], NULL), 0);
}

TEST(garbage_is_no_handle) {
  static const uintptr_t values[] = {0, 1, 2, 15, 16, 17, 0x10001, UINTPTR_MAX, UINTPTR_MAX - 14, 0xdeadbeef};
  sts_image_def_t def = def_named("x");
  sts_image_info_t info;
  sts_uint64_t done;
  int local;
  for (size_t i = 0; i <= sizeof values / sizeof values[0]; i++) {
    void *handle = i < sizeof values / sizeof values[0] ? (void *)values[i] : (void *)&local;
    CHECK_NUM(stsp_close_server(handle), STS_EINVAL);
    CHECK_NUM(stsp_close_image(handle, 0), STS_EINVAL);
    CHECK_NUM(stsp_close_lsu_list(handle), STS_EINVAL);
    CHECK_NUM(stsp_close_image_list(handle), STS_EINVAL);
    CHECK_NUM(stsp_write_image(handle, NULL, &local, 512, 0, &done), STS_EINVAL);
    CHECK_NUM(stsp_read_image(handle, &local, 1, 0, &done), STS_EINVAL);
    CHECK_NUM(stsp_get_image_prop(handle, &info), STS_EINVAL);
    CHECK_NUM(stsp_list_image(handle, &def), STS_EINVAL);
    CHECK_NUM(stsp_delete_image(handle, "lsu", &def, 0), STS_EINVAL);
  }
}

/* ---- sessions and names ------------------------------------------------------------------------------------------------ */

TEST(claim_knows_our_names) {
  char longest[STS_MAX_STSNAME + 1];
  memset(longest, 'x', sizeof longest);
  memcpy(longest, "VastData:", 9);
  longest[STS_MAX_STSNAME - 1] = 0;
  CHECK_NUM(stsp_claim("VastData:a"), STS_EOK);
  CHECK_NUM(stsp_claim(longest), STS_EOK);
  longest[STS_MAX_STSNAME - 1] = 'x';
  longest[STS_MAX_STSNAME] = 0;
  CHECK_NUM(stsp_claim(longest), STS_ECLAIM);
  CHECK_NUM(stsp_claim("VastData:"), STS_ECLAIM);
  CHECK_NUM(stsp_claim("VastData"), STS_ECLAIM);
  CHECK_NUM(stsp_claim("vastdata:a"), STS_ECLAIM);
  CHECK_NUM(stsp_claim("PureDisk:a"), STS_ECLAIM);
  CHECK_NUM(stsp_claim(""), STS_ECLAIM);
  CHECK_NUM(stsp_claim(NULL), STS_EINVAL);
}

TEST(a_session_is_checked) {
  sts_session_t session = new_session();
  sts_server_t *server = (sts_server_t *)&session;
  init_plugin(0);
  CHECK_NUM(stsp_open_server(NULL, "VastData:a", &server), STS_EINVAL);
  CHECK(server == NULL);
  CHECK_STATUS(stsp_open_server(&session, "VastData:a", NULL), STS_EINVAL);
  CHECK_STATUS(stsp_open_server(&session, NULL, &server), STS_EINVAL);
  CHECK_STATUS(stsp_open_server(&session, "", &server), STS_EINVAL);
  CHECK_STATUS(stsp_open_server(&session, "PureDisk:a", &server), STS_ECLAIM);
  memset(session.job, 'j', sizeof session.job);
  CHECK_STATUS(stsp_open_server(&session, "VastData:a", &server), STS_EINVAL);
  CHECK_TEXT("job name");
  session = new_session();
  session.abi_version = 2;
  CHECK_STATUS(stsp_open_server(&session, "VastData:a", &server), STS_EVERSION);
  session = new_session();
  CHECK_NUM(stsp_terminate(), STS_EOK);
  CHECK_STATUS(stsp_open_server(&session, "VastData:a", &server), STS_ESTATE);
  CHECK_TEXT("stsp_init");
}

/* ---- images ------------------------------------------------------------------------------------------------------------ */

static void play_both(struct engine *engine) {
  int server = fake_hello(engine);
  int writer = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  int reader = fake_image(engine, WIRE_IMAGE_OPEN, 4096);
  fake_closed(writer, 0); /* the first frame that comes: bad arguments went nowhere, and spoiled nothing */
  fake_closed(reader, 0);
  fake_expect_end(server);
}

TEST(bad_arguments_are_refused_and_spoil_nothing) {
  static unsigned char bytes[1024];
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_def_t def = def_named("x");
  sts_image_t *reader, *other;
  sts_uint64_t done;
  sts_uint32_t done32;
  engine_start(&engine, play_both, NULL);
  sts_server_t *server = open_server(&session);
  sts_image_t *writer = create_image(&session, server, "x");
  CHECK_STATUS(stsp_open_image(server, "lsu", &def, STS_MODE_READ, &reader), STS_EOK);

  static const struct {
    sts_uint64_t length, offset;
  } ranges[] = {{0, 0}, {1, 0}, {511, 0}, {513, 0}, {512, 1}, {512, 511}, {UINT64_MAX, 0}, {512, UINT64_MAX},
                {UINT64_MAX - 511, 512}, {512, UINT64_MAX - 511}, {512, WIRE_IMAGE_MAX}, {1024, WIRE_IMAGE_MAX - 512}};
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    done = 9;
    CHECK_STATUS(stsp_write_image(writer, NULL, bytes, ranges[i].length, ranges[i].offset, &done), STS_EINVAL);
    CHECK_NUM(done, 0);
  }
  CHECK_STATUS(stsp_write_image(writer, NULL, NULL, 512, 0, &done), STS_EINVAL);
  CHECK_STATUS(stsp_read_image(reader, NULL, 512, 0, &done), STS_EINVAL);
  CHECK_STATUS(stsp_read_image(reader, bytes, 0, 0, &done), STS_EINVAL);
  CHECK_STATUS(stsp_read_image(reader, bytes, 2, UINT64_MAX, &done), STS_EINVAL);
  CHECK_STATUS(stsp_read_image(reader, bytes, 1, 0, NULL), STS_EINVAL);
  CHECK_STATUS(stsp_write_image_meta(writer, bytes, 0, 0, &done32), STS_EINVAL);
  CHECK_STATUS(stsp_write_image_meta(writer, bytes, 1, STS_MAX_METADATA, &done32), STS_EINVAL);
  CHECK_STATUS(stsp_write_image_meta(writer, bytes, UINT32_MAX, 1, &done32), STS_EINVAL);
  CHECK_STATUS(stsp_read_image_meta(reader, bytes, 0, 0, &done32), STS_EINVAL);
  CHECK_STATUS(stsp_read_image_meta(reader, bytes, 1, 0, NULL), STS_EINVAL);
  CHECK_STATUS(stsp_read_image_meta(reader, bytes, UINT32_MAX, 1, &done32), STS_EINVAL);
  CHECK_STATUS(stsp_get_image_prop(writer, NULL), STS_EINVAL);
  /* the wrong mode */
  CHECK_STATUS(stsp_write_image(reader, NULL, bytes, 512, 0, &done), STS_ESTATE);
  CHECK_STATUS(stsp_read_image(writer, bytes, 512, 0, &done), STS_ESTATE);
  CHECK_STATUS(stsp_flush_image(reader), STS_ESTATE);
  CHECK_STATUS(stsp_write_image_meta(reader, bytes, 1, 0, &done32), STS_ESTATE);
  CHECK_TEXT("open for read");
  /* names and definitions */
  char name[300];
  memset(name, 'l', sizeof name);
  name[sizeof name - 1] = 0;
  CHECK_STATUS(stsp_create_image(server, NULL, &def, 0, &other), STS_EINVAL);
  CHECK_STATUS(stsp_create_image(server, "", &def, 0, &other), STS_EINVAL);
  CHECK_STATUS(stsp_create_image(server, name, &def, 0, &other), STS_EINVAL);
  CHECK_STATUS(stsp_create_image(server, "lsu", NULL, 0, &other), STS_EINVAL);
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, NULL), STS_EINVAL);
  CHECK_STATUS(stsp_open_image(server, "lsu", &def, 0, &other), STS_EINVAL);
  CHECK_STATUS(stsp_open_image(server, "lsu", &def, 3, &other), STS_EINVAL);
  CHECK_STATUS(stsp_create_lsu(server, name), STS_EINVAL);
  CHECK_STATUS(stsp_label_lsu(server, "lsu", ""), STS_EINVAL);
  CHECK_STATUS(stsp_get_server_prop(server, NULL), STS_EINVAL);
  sts_image_list_t *list;
  CHECK_STATUS(stsp_open_image_list(server, "lsu", 4, &list), STS_EINVAL);
  sts_image_def_t bad = def;
  bad.img_basename[0] = 0;
  CHECK_STATUS(stsp_delete_image(server, "lsu", &bad, 0), STS_EINVAL);
  memset(bad.img_basename, 'b', sizeof bad.img_basename);
  CHECK_STATUS(stsp_delete_image(server, "lsu", &bad, 0), STS_EINVAL);
  bad = def;
  memset(bad.img_policy, 'p', sizeof bad.img_policy);
  CHECK_STATUS(stsp_delete_image(server, "lsu", &bad, 0), STS_EINVAL);
  bad = def;
  bad.img_opaque_length = STS_MAX_OPAQUE + 1;
  CHECK_STATUS(stsp_copy_image(server, "lsu", &def, "lsu", &bad, NULL), STS_EINVAL);

  CHECK_STATUS(stsp_close_image(writer, 0), STS_EOK);
  CHECK_STATUS(stsp_close_image(writer, 0), STS_EINVAL);
  CHECK_STATUS(stsp_close_image(reader, 0), STS_EOK);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  CHECK_STATUS(stsp_close_server(server), STS_EINVAL);
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, &other), STS_EINVAL);
  engine_join(&engine);
}

/* ---- texts ------------------------------------------------------------------------------------------------------------- */

static char logged[STS_MAX_ERROR];
static int logged_severity;
static void keep_line(void *context, int severity, const char *line) {
  CHECK(context == logged);
  logged_severity = severity;
  memcpy(logged, line, strlen(line) + 1);
}

static void play_refusal(struct engine *engine) {
  int server = fake_hello(engine);
  int fd = fake_hello(engine);
  (void)fake_expect(fd, WIRE_IMAGE_CREATE);
  close(fd);
  fake_expect_end(server);
}

TEST(texts_are_one_printable_line_and_go_to_the_log) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_def_t def = def_named("two\nlines\x1b[31m");
  sts_image_t *image;
  memset(def.img_basename + 14, 'n', sizeof def.img_basename - 15);
  session.log = keep_line;
  session.log_context = logged;
  engine_start(&engine, play_refusal, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_create_image(server, "lsu", &def, 0, &image), STS_ESOCKET);
  CHECK_TEXT("two?lines?[31m");
  CHECK_TEXT("nnn...~1279020655 in LSU lsu");
  CHECK_TEXT("may be there, pending");
  CHECK(strcmp(logged, session.error) == 0);
  CHECK_NUM(logged_severity, STS_LOG_ERROR);
  for (const char *at = session.error; *at; at++) CHECK((unsigned char)*at >= 0x20);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}
