/*
 * harness.h: a small test frame. Tests run one after the other in one process; a failed CHECK prints where and ends it.
 * Each test's fake engine is a thread that reads and writes frames by hand.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/stsp.h"

struct test {
  const char *name;
  void (*run)(void);
  struct test *next;
};
void test_add(struct test *test);

#define TEST(id)                                                              \
  static void run_##id(void);                                                 \
  __attribute__((constructor)) static void add_##id(void) {                   \
    static struct test test = {#id, run_##id, NULL};                          \
    test_add(&test);                                                          \
  }                                                                           \
  static void run_##id(void)

_Noreturn void fail_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define CHECK(condition)                                                \
  do {                                                                  \
    if (!(condition)) fail_at(__FILE__, __LINE__, "%s", #condition);    \
  } while (0)

#define CHECK_NUM(actual, expected)                                                                                   \
  do {                                                                                                                \
    long long actual_ = (long long)(actual), expected_ = (long long)(expected);                                       \
    if (actual_ != expected_) fail_at(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #actual, actual_, expected_, #expected); \
  } while (0)

/* Status of a call on a session, and when it is another, the session's text. */
#define CHECK_STATUS_OF(session_, call, expected)                                                    \
  do {                                                                                               \
    int actual_ = (call), expected_ = (expected);                                                    \
    if (actual_ != expected_)                                                                        \
      fail_at(__FILE__, __LINE__, "%s is %d, not %d: %s", #call, actual_, expected_, (session_)->error); \
  } while (0)
#define CHECK_STATUS(call, expected) CHECK_STATUS_OF(&session, call, expected)

/* The session's text holds these words. */
#define CHECK_TEXT(words)                                                                                          \
  do {                                                                                                             \
    if (!contains(session.error, words)) fail_at(__FILE__, __LINE__, "text \"%s\" lacks \"%s\"", session.error, words); \
  } while (0)

bool contains(const char *text, const char *words);

/* Descriptors that are open in this process. */
int open_descriptors(void);

/* A path in the directory of this run; static buffers, four at a time. */
const char *run_path(const char *name);

/* xorshift: the seed is printed at the start and taken from VAST_OST_SEED. */
uint64_t test_random(void);
uint64_t test_seed(void);
void test_random_start(uint64_t stream); /* this thread's sequence: the run's seed and `stream` */

/* A session with the right ABI version and a job's name. */
sts_session_t new_session(void);
/* Writes a configuration with the run's socket and initialises the plug-in with it. */
void init_plugin(unsigned connect_wait_s);
sts_image_def_t def_named(const char *basename);

/* Bytes that depend on their place in the image. */
void pattern(unsigned char *out, size_t length, uint64_t offset, uint32_t salt);

#endif
