/* The plug-in's configuration: where it is looked for, what counts, what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../config.h"
#include "harness.h"

static struct stsp__config parse(const char *text, unsigned wrong_line) {
  struct stsp__config config;
  const char *what = NULL;
  unsigned line = stsp__config_parse(text, strlen(text), &config, &what);
  if (line != wrong_line) fail_at(__FILE__, __LINE__, "line %u, not %u: %s", line, wrong_line, text);
  CHECK(line == 0 || what != NULL);
  return config;
}

TEST(defaults_stand_for_what_is_not_named) {
  struct stsp__config config = parse("[general]\nsocket = /no\n[engine]\nother = 1\n", 0);
  CHECK(strcmp(config.socket, "/run/vast-ost/engine.sock") == 0);
  CHECK_NUM(config.connect_wait_s, 10);
}

TEST(socket_and_connect_wait_are_taken) {
  struct stsp__config config = parse("[engine]\nconnect_wait_s = 0\nsocket=/a b\n", 0);
  CHECK(strcmp(config.socket, "/a b") == 0);
  CHECK_NUM(config.connect_wait_s, 0);
  CHECK_NUM(parse("[engine]\nconnect_wait_s = 3600", 0).connect_wait_s, 3600);
  CHECK_NUM(parse("[engine]\nconnect_wait_s = 007", 0).connect_wait_s, 7);
  char longest[160] = "[engine]\nsocket = /";
  memset(longest + 19, 's', 106);
  CHECK_NUM(strlen(parse(longest, 0).socket), 107);
  longest[125] = 's';
  (void)parse(longest, 2);
}

TEST(wrong_values_are_refused_with_their_line) {
  static const char *const values[] = {"connect_wait_s =", "connect_wait_s = -1", "connect_wait_s = 3601",
                                       "connect_wait_s = 10s", "connect_wait_s = 1.5", "connect_wait_s = 99999",
                                       "connect_wait_s = 0x10", "socket =", "socket = relative", "socket = ./x"};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    char text[100];
    snprintf(text, sizeof text, "# c\n[engine]\n%s\n", values[i]);
    (void)parse(text, 3);
  }
}

TEST(sections_of_storage_servers_are_the_engines) {
  struct stsp__config config =
      parse("[engine]\nsocket = /one\n[server:a]\nstore = s3\nsocket = /two\nconnect_wait_s = soon\n[server:b]\n", 0);
  CHECK(strcmp(config.socket, "/one") == 0);
  CHECK_NUM(config.connect_wait_s, 10);
  (void)parse("[server:a b]\n", 1);
  (void)parse("[server:a]\nb:c = 1\n", 2);
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  fputs(text, file);
  fclose(file);
}

TEST(the_file_is_found_by_argument_then_by_environment) {
  char error[200];
  struct stsp__config config;
  const char *one = run_path("one.conf"), *two = run_path("two.conf");
  write_file(one, "[engine]\nsocket = /one\n");
  write_file(two, "[engine]\nsocket = /two\n");
  CHECK_NUM(setenv("VAST_OST_CONF", two, 1), 0);
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, one, error, sizeof error), STS_EOK);
  CHECK(stsp__config_get(&config) && strcmp(config.socket, "/one") == 0);
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, NULL, error, sizeof error), STS_EOK);
  CHECK(stsp__config_get(&config) && strcmp(config.socket, "/two") == 0);
  CHECK_NUM(stsp_terminate(), STS_EOK);
  CHECK(!stsp__config_get(&config));
  unsetenv("VAST_OST_CONF");
  unlink(one);
  unlink(two);
}

TEST(a_failed_init_says_why_and_keeps_what_was) {
  char error[300];
  struct stsp__config config;
  const char *path = run_path("bad.conf");
  init_plugin(3);
  write_file(path, "[engine]\nconnect_wait_s = soon\n");
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, path, error, sizeof error), STS_EINVAL);
  CHECK(contains(error, "bad.conf:2: [engine] connect_wait_s must be a whole number"));
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, path, NULL, 0), STS_EINVAL);
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, path, error, 1), STS_EINVAL);
  unlink(path);
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, path, error, sizeof error), STS_ENOENT);
  CHECK(contains(error, "it does not exist"));
  CHECK_NUM(stsp_init(STSP_ABI_VERSION, "/", error, sizeof error), STS_ESYSTEM);
  CHECK_NUM(stsp_init(STSP_ABI_VERSION + 1, NULL, error, sizeof error), STS_EVERSION);
  CHECK(stsp__config_get(&config) && config.connect_wait_s == 3);
  CHECK_NUM(stsp_terminate(), STS_EOK);
}
