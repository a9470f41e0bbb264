/*
 * handover COUNT: what it costs to hand something to another processor and to get it back, p50 in µs: a byte between two
 * processes by a socket, a word between two threads by a futex.
 * {"process_us":…,"thread_us":…,"process":{"repeated":COUNT,"p50_us":…,…}}
 * handover COUNT free: neither end is tied to a processor, as nobody's is who works beside others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "timing.h"

#define HANDOVERS_MAX 100000

static bool tied = true;

static void stay_on(int cpu) {
  cpu_set_t set;
  if (!tied) return;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  check(sched_setaffinity(0, sizeof set, &set) != 0, "sched_setaffinity");
}

static void futex(_Atomic uint32_t *word, int operation, uint32_t value) {
  syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Raises the word to `to` and wakes who waits for it. */
static void hand_over(_Atomic uint32_t *word, uint32_t to) {
  atomic_store(word, to);
  futex(word, FUTEX_WAKE, 1);
}

static void await_word(_Atomic uint32_t *word, uint32_t value) {
  for (uint32_t now = atomic_load(word); now != value; now = atomic_load(word)) futex(word, FUTEX_WAIT, now);
}

struct echo {
  _Atomic uint32_t there, back;
  uint32_t count;
};

static void *echo_words(void *argument) {
  struct echo *echo = argument;
  stay_on(1);
  for (uint32_t i = 1; i <= echo->count; i++) {
    await_word(&echo->there, i);
    hand_over(&echo->back, i);
  }
  return NULL;
}

static double thread_handover(int count, double *took) {
  struct echo echo = {.count = (uint32_t)count};
  pthread_t thread;
  check(pthread_create(&thread, NULL, echo_words, &echo) != 0, "thread");
  for (int i = 0; i < count; i++) {
    const double begin = now();
    hand_over(&echo.there, (uint32_t)i + 1);
    await_word(&echo.back, (uint32_t)i + 1);
    took[i] = now() - begin;
  }
  pthread_join(thread, NULL);
  return median_us(took, count);
}

static void process_handover(int count, double *took) {
  int ends[2];
  char byte = 0;
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0, "socketpair");
  const pid_t pid = fork();
  check(pid < 0, "fork");
  if (pid == 0) {
    close(ends[0]);
    stay_on(1);
    while (read(ends[1], &byte, 1) == 1) check(write(ends[1], &byte, 1) != 1, "write");
    _exit(0);
  }
  close(ends[1]);
  for (int i = 0; i < count; i++) {
    const double begin = now();
    check(write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1, "handover");
    took[i] = now() - begin;
  }
  close(ends[0]);
  check(waitpid(pid, NULL, 0) < 0, "wait");
}

/* Sorts the `count` times. */
static void tell(int count, double *took) {
  printf("\"process\":{\"repeated\":%d,\"p50_us\":%.2f", count, median_us(took, count));
  printf(",\"p90_us\":%.2f", took[(long)count * 90 / 100] * 1e6);
  printf(",\"p99_us\":%.2f", took[(long)count * 99 / 100] * 1e6);
  printf(",\"p999_us\":%.2f", took[(long)count * 999 / 1000] * 1e6);
  printf(",\"max_us\":%.2f}", took[count - 1] * 1e6);
}

int main(int argc, char **argv) {
  static double took[HANDOVERS_MAX];
  const int count = argc == 2 || (argc == 3 && strcmp(argv[2], "free") == 0) ? atoi(argv[1]) : 0;
  if (count < 1 || count > HANDOVERS_MAX) {
    fprintf(stderr, "usage: handover COUNT [free] (1 to %d)\n", HANDOVERS_MAX);
    return 2;
  }
  tied = argc == 2;
  stay_on(0);
  process_handover(count, took);
  printf("{");
  tell(count, took);
  printf(",\"process_us\":%.2f", median_us(took, count));
  printf(",\"thread_us\":%.2f}\n", thread_handover(count, took));
  return 0;
}
