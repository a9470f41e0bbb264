/* Random writes and reads against a reference, through every kind of system trouble, in one thread and in several. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "shim.h"

#define THREADS 4u

struct job {
  unsigned number;
  unsigned images;
  unsigned calls; /* of write and of read, for each image */
  enum shim_mode mode;
};

static void write_image(sts_session_t *session, sts_image_t *image, unsigned char *reference, uint64_t *size, unsigned calls) {
  static _Thread_local unsigned char bytes[1 << 17];
  uint64_t next = 0;
  for (unsigned i = 0; i < calls; i++) {
    uint64_t length = 512 * (1 + test_random() % (test_random() % 4 ? 8 : sizeof bytes / 512));
    uint64_t offset = test_random() % 6 ? next : 512 * (test_random() % (MODEL_IMAGE_BYTES / 512));
    if (offset + length > MODEL_IMAGE_BYTES) continue;
    for (uint64_t at = 0; at < length; at += 8) {
      uint64_t word = test_random();
      memcpy(bytes + at, &word, 8);
    }
    sts_uint64_t written = 0;
    CHECK_STATUS_OF(session, stsp_write_image(image, NULL, bytes, length, offset, &written), STS_EOK);
    CHECK_NUM(written, length);
    memcpy(reference + offset, bytes, (size_t)length);
    next = offset + length;
    if (next > *size) *size = next;
    if (test_random() % 16 == 0) CHECK_STATUS_OF(session, stsp_flush_image(image), STS_EOK);
  }
}

static void read_image(sts_session_t *session, sts_image_t *image, const unsigned char *reference, uint64_t size,
                       unsigned calls) {
  static _Thread_local unsigned char bytes[1 << 17];
  uint64_t next = 0;
  for (unsigned i = 0; i < calls; i++) {
    uint64_t length = 1 + test_random() % (test_random() % 4 ? 4096 : sizeof bytes);
    uint64_t offset = test_random() % 6 ? next : test_random() % (size + 2);
    uint64_t expected = offset >= size ? 0 : length < size - offset ? length : size - offset;
    sts_uint64_t got = 0;
    CHECK_STATUS_OF(session, stsp_read_image(image, bytes, length, offset, &got), STS_EOK);
    CHECK_NUM(got, expected);
    CHECK(memcmp(bytes, reference + offset, (size_t)got) == 0);
    next = offset + got;
  }
}

static void *play_job(void *argument) {
  const struct job *job = argument;
  unsigned char *reference = calloc(1, MODEL_IMAGE_BYTES);
  sts_session_t session = new_session();
  test_random_start(job->number);
  shim_mode(job->mode);
  sts_server_t *server = open_server(&session);
  for (unsigned i = 0; i < job->images; i++) {
    char name[32];
    sts_image_t *image;
    uint64_t size = 0;
    snprintf(name, sizeof name, "job%u-image%u", job->number, i);
    sts_image_def_t def = def_named(name);
    memset(reference, 0, MODEL_IMAGE_BYTES);
    image = create_image(&session, server, name);
    write_image(&session, image, reference, &size, job->calls);
    CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK);
    CHECK_STATUS(stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image), STS_EOK);
    read_image(&session, image, reference, size, job->calls);
    CHECK_STATUS(stsp_close_image(image, 0), STS_EOK);
  }
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  if (job->mode != SHIM_PLAIN) CHECK(shim_calls() > 1000);
  shim_mode(SHIM_PLAIN);
  free(reference);
  return NULL;
}

static void run_job(struct job job) {
  struct engine engine;
  unsigned connections = 1 + 2 * job.images;
  int before = open_descriptors();
  engine_start(&engine, model_play, &connections);
  (void)play_job(&job);
  engine_join(&engine);
  CHECK_NUM(open_descriptors(), before);
}

TEST(random_images_come_back) { run_job((struct job){1, 20, 60, SHIM_PLAIN}); }

TEST(every_other_system_call_is_interrupted) { run_job((struct job){2, 6, 40, SHIM_EINTR}); }

TEST(bytes_trickle_one_by_one) { run_job((struct job){3, 3, 20, SHIM_BYTES}); }

TEST(threads_with_handles_of_their_own) {
  struct engine engine;
  struct job jobs[THREADS];
  pthread_t threads[THREADS];
  unsigned connections = THREADS * (1 + 2 * 6);
  engine_start(&engine, model_play, &connections);
  for (unsigned i = 0; i < THREADS; i++) {
    jobs[i] = (struct job){10 + i, 6, 40, SHIM_PLAIN};
    CHECK_NUM(pthread_create(&threads[i], NULL, play_job, &jobs[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) CHECK_NUM(pthread_join(threads[i], NULL), 0);
  engine_join(&engine);
}

static atomic_int signals;
static atomic_bool storm_over;
static void count_signal(int number) {
  (void)number;
  atomic_fetch_add(&signals, 1);
}

/* Sends the next signal when the last has come, so that the storm is as dense as it can be. */
static void *storm(void *argument) {
  const pthread_t *target = argument;
  for (int sent = 0; !atomic_load(&storm_over);) {
    if (atomic_load(&signals) < sent) sched_yield();
    else if (pthread_kill(*target, SIGUSR2) == 0) sent++;
  }
  return NULL;
}

TEST(a_storm_of_signals) {
  struct sigaction action = {.sa_handler = count_signal}, before; /* no SA_RESTART */
  pthread_t self = pthread_self(), thread;
  CHECK_NUM(sigaction(SIGUSR2, &action, &before), 0);
  CHECK_NUM(pthread_create(&thread, NULL, storm, &self), 0);
  do run_job((struct job){4, 10, 60, SHIM_PLAIN});
  while (atomic_load(&signals) < 200); /* a busy machine may let few through in one */
  atomic_store(&storm_over, true);
  CHECK_NUM(pthread_join(thread, NULL), 0);
  CHECK_NUM(sigaction(SIGUSR2, &before, NULL), 0);
}

/* stsp_init in one thread while others open: nobody sees half a configuration. */
static void *init_again(void *argument) {
  char error[200];
  for (int i = 0; i < 300; i++)
    CHECK_NUM(stsp_init(STSP_ABI_VERSION, argument, error, sizeof error), STS_EOK);
  return NULL;
}

TEST(init_races_with_open) {
  struct engine engine;
  pthread_t thread;
  unsigned connections = 100;
  sts_session_t session = new_session();
  engine_start(&engine, model_play, &connections);
  CHECK_NUM(pthread_create(&thread, NULL, init_again, (void *)(uintptr_t)run_path("vast-ost.conf")), 0);
  for (unsigned i = 0; i < connections; i++) CHECK_STATUS(stsp_close_server(open_server(&session)), STS_EOK);
  CHECK_NUM(pthread_join(thread, NULL), 0);
  engine_join(&engine);
}
