/* harness.c: runs the tests; arguments are parts of names. */
#include "harness.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCHDOG_S 120u /* a test that hangs is a failed one */

static struct test *tests;
static const char *running = "start";
static char directory[64];
static uint64_t seed;
static _Thread_local uint64_t state;

void test_add(struct test *test) {
  test->next = tests;
  tests = test;
}

_Noreturn void fail_at(const char *file, int line, const char *format, ...) {
  va_list arguments;
  printf("not ok %s\n%s:%d: ", running, file, line);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
  fflush(stdout);
  _exit(1);
}

bool contains(const char *text, const char *words) { return strstr(text, words) != NULL; }

int open_descriptors(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  CHECK(dir != NULL);
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

const char *run_path(const char *name) {
  static _Thread_local char paths[4][96];
  static _Thread_local unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", directory, name);
  return path;
}

uint64_t test_seed(void) { return seed; }

void test_random_start(uint64_t stream) {
  state = (seed + stream * UINT64_C(0x9e3779b97f4a7c15)) | 1;
  for (int i = 0; i < 8; i++) (void)test_random();
}

uint64_t test_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

sts_session_t new_session(void) {
  sts_session_t session;
  memset(&session, 0, sizeof session);
  session.abi_version = STSP_ABI_VERSION;
  memcpy(session.job, "job 7", 6);
  return session;
}

void init_plugin(unsigned connect_wait_s) {
  char error[STS_MAX_ERROR];
  const char *path = run_path("vast-ost.conf");
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  fprintf(file, "[engine]\nsocket = %s\nconnect_wait_s = %u\n", run_path("engine.sock"), connect_wait_s);
  fclose(file);
  if (stsp_init(STSP_ABI_VERSION, path, error, sizeof error) != STS_EOK) fail_at(__FILE__, __LINE__, "%s", error);
}

sts_image_def_t def_named(const char *basename) {
  sts_image_def_t def;
  memset(&def, 0, sizeof def);
  memcpy(def.img_basename, basename, strlen(basename));
  def.img_date = 1279020655;
  return def;
}

void pattern(unsigned char *out, size_t length, uint64_t offset, uint32_t salt) {
  for (size_t i = 0; i < length; i++) {
    uint64_t at = offset + i;
    out[i] = (unsigned char)((at * 31 + (at >> 9) * 7 + (at >> 20) * 131 + salt * 17) & 0xff);
  }
}

static void hung(int signal_number) {
  (void)signal_number;
  static const char words[] = "\nnot ok: a test hangs\n";
  if (write(1, words, sizeof words - 1) < 0) _exit(3);
  _exit(2);
}

int main(int count, char **names) {
  const char *given = getenv("VAST_OST_SEED");
  const char *temporary = getenv("TMPDIR");
  seed = given ? strtoull(given, NULL, 10) : 20260101;
  printf("VAST_OST_SEED=%llu\n", (unsigned long long)seed);
  snprintf(directory, sizeof directory, "%s/stsp-test.XXXXXX", temporary && strlen(temporary) < 24 ? temporary : "/tmp");
  CHECK(mkdtemp(directory) != NULL);
  signal(SIGALRM, hung);
  struct test *order = NULL; /* constructors ran last file first */
  while (tests) {
    struct test *test = tests;
    tests = test->next;
    test->next = order;
    order = test;
  }
  unsigned done = 0;
  for (struct test *test = order; test; test = test->next) {
    bool wanted = count < 2;
    for (int i = 1; i < count; i++) wanted |= contains(test->name, names[i]);
    if (!wanted) continue;
    running = test->name;
    test_random_start(0);
    alarm(WATCHDOG_S);
    test->run();
    alarm(0);
    printf("ok %s\n", test->name);
    fflush(stdout);
    done++;
  }
  unlink(run_path("vast-ost.conf"));
  unlink(run_path("engine.sock"));
  rmdir(directory);
  printf("%u passed\n", done);
  return done > 0 ? 0 : 1;
}
