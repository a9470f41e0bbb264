/*
 * flows: what payload costs the processors when nobody but the copy and the digest are there, in the shape that the host
 * program and the engine have: 256 KiB pieces, a pattern on the pages that a plain program gets, arenas of shared huge pages,
 * the plug-in's own copy into slots.
 *
 *   flows copy STREAMS SLOTS MIB BYTES     so many processes, each from one pattern into its own SLOTS slots of MIB
 *   flows out STREAMS SLOTS MIB BYTES      the same out of slots into a buffer of 256 KiB
 *   flows crc 1 SLOTS MIB BYTES            CRC-64 over one arena's slots, alone
 *   flows pair-copy LAG SLOTS MIB BYTES    one thread copies into slots, another digests each block when LAG blocks are filled
 *   flows pair-out LAG SLOTS MIB BYTES     one thread digests, another copies each block out when LAG blocks are digested
 *
 * BYTES are of each process. One line of JSON: {"bytes": of all, "seconds", "cpu_s": of the copies, or of the digest where
 * it is alone, "digest_cpu_s": of a pair's digest}. The clock starts when every page is there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../native/addon/crc64.h"
#include "../../native/kernel/names.h"
#include "../../native/plugin/copy.h"
#include "timing.h"

#define PIECE (256u * 1024)
#define UNIT (1024u * 1024)
#define PATTERN (64u * 1024 * 1024)
#define HUGE_PAGE ((size_t)2 << 20)
#define STREAMS_MAX 64
/* As native/addon/digest.cc takes a block's bytes. */
#define CHUNK ((size_t)1 << 20)

struct flow {
  unsigned char *pattern, *arena;
  size_t slots, slot_bytes;
  uint64_t blocks, lag;
  sem_t filled, free; /* of a pair */
  double copy_cpu, digest_cpu;
  bool out;
};

static double cpu_now(clockid_t clock) {
  struct timespec t;
  check(clock_gettime(clock, &t) != 0, "clock_gettime");
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void touch(unsigned char *memory, size_t bytes, size_t step) {
  for (size_t at = 0; at < bytes; at += step) ((volatile unsigned char *)memory)[at] = (unsigned char)(at / step);
}

/* Of a memfd, huge where the kernel gives that, all pages there: as engine and plug-in make it. */
static unsigned char *arena_of(const struct flow *flow) {
  const size_t bytes = flow->slots * flow->slot_bytes;
  const int fd = memfd_create("flows", MFD_CLOEXEC);
  check(fd < 0 || ftruncate(fd, (off_t)bytes) != 0, "memfd");
  unsigned char *room = mmap(NULL, bytes + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(room == MAP_FAILED, "mmap");
  unsigned char *at = room + (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
  check(mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED, "mmap of a memfd");
  for (size_t from = 0; from < bytes; from += HUGE_PAGE) {
    touch(at + from, 1, 1);
    madvise(at + from, HUGE_PAGE, MADV_COLLAPSE); /* a kernel that cannot goes on with small pages, as the engine does */
  }
  madvise(at, bytes, MADV_POPULATE_WRITE);
  touch(at, bytes, 4096);
  close(fd);
  return at;
}

static unsigned char *pattern_of(void) {
  unsigned char *memory = mmap(NULL, PATTERN + UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(memory == MAP_FAILED, "mmap");
  touch(memory, PATTERN + UNIT, 4096);
  return memory;
}

/* Where the i-th MiB begins in the pattern, which has a MiB behind PATTERN: anywhere, as the host program's data do. */
static size_t place_of(uint64_t i) {
  uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
  x ^= x >> 29;
  return (size_t)(x * 0xbf58476d1ce4e5b9u >> 20) % (PATTERN / 4096) * 4096;
}

static void copy_block(struct flow *flow, uint64_t block, unsigned char *buffer) {
  unsigned char *slot = flow->arena + block % flow->slots * flow->slot_bytes;
  for (size_t at = 0; at < flow->slot_bytes; at += PIECE) {
    if (flow->out) {
      memcpy(buffer, slot + at, PIECE);
      __asm__ volatile("" : : "r"(buffer) : "memory"); /* somebody may look at it */
    } else {
      const unsigned char *from = flow->pattern + place_of((block * flow->slot_bytes + at) / UNIT) + at % UNIT;
      stsp__copy_through(slot + at, from, PIECE); /* as native/plugin/image-write.c behind an image's first MiB */
    }
  }
}

static void digest_block(struct flow *flow, uint64_t block) {
  static volatile uint64_t sum;
  const unsigned char *slot = flow->arena + block % flow->slots * flow->slot_bytes;
  for (size_t at = 0; at < flow->slot_bytes; at += CHUNK) sum = sum + crc64_update(0, slot + at, CHUNK);
}

static void wait_for(sem_t *sem) {
  while (sem_wait(sem) != 0) check(errno != EINTR, "sem_wait");
}

/* The side that comes first fills slots; the second one takes a block when `lag` of them are filled, and all at the end. */
static void side(struct flow *flow, bool first, bool copies, unsigned char *buffer) {
  for (uint64_t block = 0; block < flow->blocks; block++) {
    if (first) wait_for(&flow->free);
    else wait_for(&flow->filled);
    if (copies) copy_block(flow, block, buffer);
    else digest_block(flow, block);
    if (!first) sem_post(&flow->free);
    else if (block + 1 >= flow->lag) sem_post(&flow->filled);
  }
  if (first)
    for (uint64_t i = 1; i < flow->lag; i++) sem_post(&flow->filled);
}

static void *digester(void *argument) {
  struct flow *flow = argument;
  const double begin = cpu_now(CLOCK_THREAD_CPUTIME_ID);
  side(flow, flow->out, false, NULL);
  flow->digest_cpu = cpu_now(CLOCK_THREAD_CPUTIME_ID) - begin;
  return NULL;
}

static unsigned char *buffer_of(void) {
  void *buffer;
  check(posix_memalign(&buffer, 4096, PIECE) != 0, "memory");
  memset(buffer, 1, PIECE);
  return buffer;
}

static void print(const struct flow *flow, uint64_t streams, double seconds) {
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpu_s\":%.6f,\"digest_cpu_s\":%.6f}\n",
         (unsigned long long)(flow->blocks * flow->slot_bytes * streams), seconds, flow->copy_cpu, flow->digest_cpu);
}

static void run_pair(struct flow *flow) {
  pthread_t thread;
  unsigned char *buffer = buffer_of();
  check(sem_init(&flow->filled, 0, 0) != 0 || sem_init(&flow->free, 0, (unsigned)flow->slots) != 0, "sem_init");
  const double begin = now();
  check(pthread_create(&thread, NULL, digester, flow) != 0, "thread");
  const double cpu = cpu_now(CLOCK_THREAD_CPUTIME_ID);
  side(flow, !flow->out, true, buffer);
  flow->copy_cpu = cpu_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
  pthread_join(thread, NULL);
  print(flow, 1, now() - begin);
}

static void run_crc(struct flow *flow) {
  const double begin = now(), cpu = cpu_now(CLOCK_THREAD_CPUTIME_ID);
  for (uint64_t block = 0; block < flow->blocks; block++) digest_block(flow, block);
  flow->copy_cpu = cpu_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
  print(flow, 1, now() - begin);
}

static void stream(struct flow *flow, int number, int go, int ready, int told) {
  unsigned char *buffer = buffer_of();
  char byte = 0;
  flow->arena = arena_of(flow);
  check(write(ready, &byte, 1) != 1, "ready");
  check(read(go, &byte, 1) != 0, "go");
  const double cpu = cpu_now(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t from = (uint64_t)number * flow->slots; /* another place in the pattern, the same slots */
  for (uint64_t block = 0; block < flow->blocks; block++) copy_block(flow, from + block, buffer);
  const double took = cpu_now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  check(write(told, &took, sizeof took) != sizeof took, "told");
  _exit(0);
}

static void run_streams(struct flow *flow, int streams) {
  int ready[2], go[2], told[2];
  check(pipe(ready) != 0 || pipe(go) != 0 || pipe(told) != 0, "pipe");
  for (int i = 0; i < streams; i++) {
    const pid_t pid = fork();
    check(pid < 0, "fork");
    if (pid > 0) continue;
    close(go[1]);
    stream(flow, i, go[0], ready[1], told[1]);
  }
  char byte;
  for (int i = 0; i < streams; i++) check(read(ready[0], &byte, 1) != 1, "stream");
  const double begin = now();
  close(go[1]);
  for (int i = 0; i < streams; i++) {
    double took;
    check(read(told[0], &took, sizeof took) != sizeof took, "a stream failed");
    flow->copy_cpu += took;
  }
  const double end = now();
  for (int i = 0; i < streams; i++) check(wait(NULL) < 0, "wait");
  print(flow, (uint64_t)streams, end - begin);
}

int main(int argc, char **argv) {
  const char *mode = argc == 6 ? argv[1] : "";
  const int count = argc == 6 ? atoi(argv[2]) : 0;
  struct flow flow = {.out = strstr(mode, "out") != NULL};
  if (argc == 6) {
    flow.slots = strtoull(argv[3], NULL, 10);
    flow.slot_bytes = (size_t)strtoull(argv[4], NULL, 10) << 20;
    if (flow.slot_bytes > 0) flow.blocks = (strtoull(argv[5], NULL, 10) + flow.slot_bytes - 1) / flow.slot_bytes;
  }
  const bool pair = strncmp(mode, "pair-", 5) == 0, crc = strcmp(mode, "crc") == 0;
  const bool many = strcmp(mode, "copy") == 0 || strcmp(mode, "out") == 0;
  if ((!pair && !crc && !many) || count < 1 || count > STREAMS_MAX || flow.slots == 0 || flow.blocks == 0 ||
      (pair && (uint64_t)count > flow.slots)) {
    fprintf(stderr, "usage: flows copy|out STREAMS SLOTS MIB BYTES | crc 1 SLOTS MIB BYTES | "
                    "pair-copy|pair-out LAG SLOTS MIB BYTES\n");
    return 2;
  }
  flow.pattern = pattern_of();
  flow.lag = (uint64_t)count;
  if (many) {
    run_streams(&flow, count);
    return 0;
  }
  flow.arena = arena_of(&flow);
  if (pair) run_pair(&flow);
  else run_crc(&flow);
  return 0;
}
