/* Connecting: hello, versions, waiting for an engine, and the silence after which it counts as gone. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../handle.h"
#include "../server.h"
#include "fake.h"
#include "shim.h"

static void check_hello(struct engine *engine) {
  int fd = fake_accept(engine);
  const struct wire_hello *hello = fake_expect(fd, WIRE_HELLO);
  CHECK_NUM(hello->header.length, sizeof *hello);
  CHECK_NUM(hello->magic, WIRE_MAGIC);
  CHECK_NUM(hello->major, WIRE_MAJOR);
  CHECK_NUM(hello->minor, WIRE_MINOR);
  CHECK_NUM(hello->pid, getpid());
  CHECK(strcmp(hello->job, "job 7") == 0 && strcmp(hello->server, "VastData:test") == 0);
  for (size_t i = sizeof "VastData:test"; i < sizeof hello->server; i++) CHECK_NUM(hello->server[i], 0);
  struct wire_hello_ok body = {.major = WIRE_MAJOR, .minor = WIRE_MINOR};
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
  fake_expect_end(fd);
}

TEST(hello_names_job_and_server) {
  struct engine engine;
  sts_session_t session = new_session();
  engine_start(&engine, check_hello, NULL);
  CHECK_STATUS(stsp_close_server(open_server(&session)), STS_EOK);
  engine_join(&engine);
}

TEST(descriptor_is_closed_on_exec) {
  struct engine engine;
  sts_session_t session = new_session();
  engine_start(&engine, check_hello, NULL);
  sts_server_t *server = open_server(&session);
  const struct stsp__server *inside = stsp__handle_get(server, STSP_SERVER);
  CHECK(fcntl(inside->link->fd, F_GETFD) & FD_CLOEXEC);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

static void other_major(struct engine *engine) {
  int fd = fake_accept(engine);
  struct wire_hello_ok body = {.major = WIRE_MAJOR + 1, .minor = 4};
  (void)fake_expect(fd, WIRE_HELLO);
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
  fake_expect_end(fd);
}

TEST(engine_of_another_major_is_refused) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_server_t *server;
  engine_start(&engine, other_major, NULL);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &server), STS_EVERSION);
  CHECK(server == NULL);
  CHECK_TEXT("speaks protocol 2.4, this plug-in 1.0");
  engine_join(&engine);
}

static void refuses_and_hangs_up(struct engine *engine) {
  int fd = fake_accept(engine);
  (void)fake_expect(fd, WIRE_HELLO);
  fake_reply(fd, WIRE_EVERSION, "engine speaks 9.0,\nplug-in 1.0", NULL, 0);
  close(fd);
}

TEST(refusal_is_told_even_when_the_engine_hangs_up) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_server_t *server;
  engine_start(&engine, refuses_and_hangs_up, NULL);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &server), STS_EVERSION);
  CHECK_TEXT("engine speaks 9.0,?plug-in 1.0"); /* one line, whatever the engine wrote */
  engine_join(&engine);
}

static void newer_minor(struct engine *engine) {
  int fd = fake_accept(engine);
  struct wire_hello_ok body = {.major = WIRE_MAJOR, .minor = WIRE_MINOR + 1};
  struct {
    struct wire_header header;
    char unknown[24];
  } added = {{sizeof added, 200, 0, 0}, {0}};
  struct wire_server_info info;
  memset(&info, 0, sizeof info);
  (void)fake_expect(fd, WIRE_HELLO);
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
  (void)fake_expect(fd, WIRE_SERVER_PROP);
  fake_send(fd, &added, sizeof added);
  fake_reply(fd, WIRE_OK, "", &info, sizeof info);
  fake_expect_end(fd);
}

TEST(frames_that_a_newer_minor_adds_are_skipped) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_server_info_t info;
  engine_start(&engine, newer_minor, NULL);
  CHECK_STATUS(stsp_get_server_prop_byname(&session, "VastData:test", &info), STS_EOK);
  engine_join(&engine);
}

TEST(no_engine_is_waited_for_as_long_as_configured) {
  sts_session_t session = new_session();
  sts_server_t *server;
  unlink(run_path("engine.sock"));
  init_plugin(7);
  shim_clock_start(NULL);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &server), STS_ECONNECT);
  CHECK_NUM(shim_clock_ms(), 7000);
  shim_clock_stop();
  CHECK_TEXT(run_path("engine.sock"));
  CHECK_TEXT("after 7 s");
  CHECK_TEXT("systemctl start vast-ost");
}

TEST(full_backlog_is_waited_for) {
  sts_session_t session = new_session();
  sts_server_t *server;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = engine_listen(0);
  int first = socket(AF_UNIX, SOCK_STREAM, 0);
  memcpy(address.sun_path, run_path("engine.sock"), strlen(run_path("engine.sock")));
  CHECK_NUM(connect(first, (struct sockaddr *)&address, sizeof address), 0);
  init_plugin(1);
  shim_clock_start(NULL);
  CHECK_STATUS(stsp_open_server(&session, "VastData:test", &server), STS_ECONNECT);
  CHECK_NUM(shim_clock_ms(), 1000);
  shim_clock_stop();
  close(first);
  close(listener);
}

static struct engine late;
static void start_late(unsigned sleeps) {
  if (sleeps != 5) return;
  late = (struct engine){.listener = engine_listen(4), .script = check_hello};
}
static void *play_late(void *unused) {
  check_hello(&late);
  return unused;
}
static pthread_t late_thread;
static void start_late_thread(unsigned sleeps) {
  start_late(sleeps);
  if (sleeps == 5) CHECK_NUM(pthread_create(&late_thread, NULL, play_late, NULL), 0);
}

TEST(engine_that_comes_late_is_found) {
  sts_session_t session = new_session();
  unlink(run_path("engine.sock"));
  init_plugin(10);
  shim_clock_start(start_late_thread);
  sts_server_t *server = open_server(&session);
  shim_clock_stop();
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  CHECK_NUM(pthread_join(late_thread, NULL), 0);
  close(late.listener);
}

static void dies_before_hello(struct engine *engine) {
  close(fake_accept(engine));
  int fd = fake_accept(engine);
  (void)fake_expect(fd, WIRE_HELLO);
  close(fd);
  check_hello(engine);
}

TEST(engine_that_restarts_during_hello_is_found) {
  struct engine engine;
  sts_session_t session = new_session();
  engine_start(&engine, dies_before_hello, NULL);
  init_plugin(10);
  shim_clock_start(NULL);
  sts_server_t *server = open_server(&session);
  shim_clock_stop();
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

/* ---- silence ----------------------------------------------------------------------------------------------------------- */

static void works_for_long(struct engine *engine) {
  int fd = fake_hello(engine);
  struct wire_lsu_info body;
  memset(&body, 0, sizeof body);
  (void)fake_expect(fd, WIRE_LSU_PROP);
  for (int i = 0; i < 1000; i++) { /* 8 hours */
    shim_pass(29000);
    fake_still_working(fd);
  }
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
  fake_expect_end(fd);
}

TEST(still_working_keeps_a_call_alive) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_lsu_info_t info;
  shim_clock_start(NULL);
  engine_start(&engine, works_for_long, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_get_lsu_prop_byname(server, "lsu", &info), STS_EOK);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  shim_clock_stop();
  engine_join(&engine);
}

static void falls_silent(struct engine *engine) {
  int fd = fake_hello(engine);
  (void)fake_expect(fd, WIRE_LSU_PROP);
  shim_pass(29999);
  shim_pass(1);
  fake_expect_end(fd);
}

TEST(thirty_seconds_of_silence_mean_that_the_engine_is_gone) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_lsu_info_t info;
  shim_clock_start(NULL);
  engine_start(&engine, falls_silent, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_get_lsu_prop_byname(server, "lsu", &info), STS_ESOCKET);
  CHECK_NUM(shim_clock_ms(), 30000);
  CHECK_TEXT("said nothing for 30 s");
  CHECK_TEXT(run_path("engine.sock"));
  CHECK_STATUS(stsp_get_lsu_prop_byname(server, "lsu", &info), STS_ESOCKET); /* and stays gone, at once */
  CHECK_NUM(shim_clock_ms(), 30000);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  shim_clock_stop();
  engine_join(&engine);
}

static void dribbles(struct engine *engine) {
  int fd = fake_hello(engine);
  struct wire_header half = {64, WIRE_STILL_WORKING, 0, 0};
  (void)fake_expect(fd, WIRE_LSU_PROP);
  fake_send(fd, &half, 10);
  shim_pass(30000);
  fake_expect_end(fd);
}

TEST(half_a_frame_is_silence) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_lsu_info_t info;
  shim_clock_start(NULL);
  engine_start(&engine, dribbles, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_get_lsu_prop_byname(server, "lsu", &info), STS_ESOCKET);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  shim_clock_stop();
  engine_join(&engine);
}
