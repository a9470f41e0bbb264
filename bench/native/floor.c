/*
 * floor: the bare programs beside which results stand.
 *
 *   floor write  DIR STREAMS BYTES DEPTH   O_DIRECT pwrite of 64 MiB blocks, DEPTH of them in flight per stream, and the
 *                                          fsyncs of a complete image: data, sums, meta and rename, both directories
 *   floor read   DIR STREAMS BYTES DEPTH   the same the other way, of what `floor write` left
 *   floor copy-write DIR STREAMS BYTES DEPTH   "floor with copy": one thread copies 256 KiB buffers into three slots past the
 *   floor copy-read  DIR STREAMS BYTES DEPTH   caches, or out of them, while DEPTH threads write or read the others; the same fsyncs
 *   floor plain-write DIR STREAMS BYTES    the "plain plug-in": 256 KiB buffers copied into one 64 MiB block, which is
 *   floor plain-read  DIR STREAMS BYTES    written when it is full, no overlap; the same fsyncs
 *   floor memcpy BYTES [MIB]               256 KiB copies from a 64 MiB pattern into 192 MiB, or MIB, as into slots
 *   floor copy-out BYTES                   256 KiB copies from 192 MiB into one buffer, as a reader's out of slots
 *   floor image  DIR COUNT                 the bare sequence of the commit protocol around 4 KiB, COUNT times
 *
 * One process a stream, as bptm is one process a job. Data does not compress. Prints one line of JSON:
 * {"bytes":…,"seconds":…,"cpu_s":…,"started_ns":…,"ended_ns":…}; seconds run from the first stream's begin to the last
 * one's end, which are also told by the monotonic clock.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "move.h"
#include "overlap.h"
#include "steps.h"
#include "timing.h"

#define BLOCK (64u * 1024 * 1024)
#define BUFFER (256u * 1024)
#define DEPTH_MAX 8
#define STREAMS_MAX 64

static double cpu_seconds(int who) {
  struct rusage u;
  getrusage(who, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

#define HUGE_PAGE (2u * 1024 * 1024)

/* At a multiple of 2 MiB, so that the kernel can give huge pages. A floor asks for them: on pages of 4 KiB a device took half as many
 * bytes a second, and the engine has huge ones. The plain plug-in takes what a plain program gets. */
static unsigned char *pages(size_t bytes, int huge) {
  unsigned char *memory =
      mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(memory == MAP_FAILED, "mmap");
  memory += (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
  if (huge) madvise(memory, bytes, MADV_HUGEPAGE); /* a kernel without them goes on without */
  for (size_t at = 0; at < bytes; at += 4096) memory[at] = 0;
  return memory;
}

/* xorshift64*: fast, and nothing shrinks it. */
static void fill(unsigned char *memory, size_t bytes, uint64_t seed) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    const uint64_t word = x * 0x2545f4914f6cdd1du;
    memcpy(memory + i, &word, 8);
  }
}

struct job {
  char dir[512];
  uint64_t bytes;
  int depth, fd, reading;
  unsigned char *memory;
  _Atomic uint64_t next;
};

static void *lane(void *argument) {
  struct job *job = argument;
  static _Atomic int lanes;
  unsigned char *memory = job->memory + (size_t)(atomic_fetch_add(&lanes, 1) % job->depth) * BLOCK;
  for (;;) {
    const uint64_t at = atomic_fetch_add(&job->next, BLOCK);
    if (at >= job->bytes) return NULL;
    const uint64_t left = job->bytes - at;
    move(job->fd, memory, left < BLOCK ? left : BLOCK, at, job->reading);
  }
}

static void open_data(struct job *job, int flags) {
  char path[600];
  snprintf(path, sizeof path, "%s/image.data", job->dir);
  job->fd = open(path, flags, 0640);
  check(job->fd < 0, path);
}

static void run_floor(struct job *job) {
  pthread_t threads[DEPTH_MAX];
  for (int i = 0; i < job->depth; i++) check(pthread_create(&threads[i], NULL, lane, job) != 0, "thread");
  for (int i = 0; i < job->depth; i++) pthread_join(threads[i], NULL);
}

/* The specification's pseudo code: aggregate by copying, write when the block is full. */
static void run_plain(struct job *job, unsigned char *pattern) {
  uint64_t filled = 0, at = 0;
  for (uint64_t offset = 0; offset < job->bytes; offset += BUFFER) {
    const size_t n = job->bytes - offset < BUFFER ? (size_t)(job->bytes - offset) : BUFFER;
    if (job->reading && filled == 0) {
      const uint64_t left = job->bytes - at;
      move(job->fd, job->memory, left < BLOCK ? left : BLOCK, at, 1);
    }
    if (job->reading) memcpy(pattern + offset % BLOCK, job->memory + filled, n);
    else memcpy(job->memory + filled, pattern + offset % BLOCK, n);
    filled += n;
    if (filled < BLOCK && offset + n < job->bytes) continue;
    if (!job->reading) move(job->fd, job->memory, filled, at, 0);
    at += filled;
    filled = 0;
  }
}

static void stream(const char *mode, const char *dir, int number, uint64_t bytes, int depth, int go, int ready) {
  struct job job = {.bytes = bytes, .depth = depth, .reading = strstr(mode, "read") != NULL};
  const int plain = strncmp(mode, "plain", 5) == 0, copies = strncmp(mode, "copy", 4) == 0;
  snprintf(job.dir, sizeof job.dir, "%s/floor-%d", dir, number);
  const size_t blocks = copies ? OVERLAP_SLOTS : (size_t)depth;
  job.memory = pages(blocks * BLOCK, !plain);
  unsigned char *pattern = plain || copies ? pages(copies && job.reading ? BUFFER : BLOCK, 0) : NULL;
  if (!job.reading) fill(pattern ? pattern : job.memory, pattern ? BLOCK : blocks * BLOCK, (uint64_t)number + 1);
  char byte = 0;
  check(write(ready, &byte, 1) != 1, "ready");
  check(read(go, &byte, 1) != 0, "go");
  if (!job.reading) {
    check(mkdir(job.dir, 0750) != 0, job.dir);
    open_data(&job, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT);
  } else open_data(&job, O_RDONLY | O_DIRECT);
  if (plain) run_plain(&job, pattern);
  else if (copies)
    overlap_run(&(struct overlap){.fd = job.fd, .reading = job.reading, .lanes = depth, .bytes = bytes,
                                  .block_bytes = BLOCK, .buffer_bytes = BUFFER, .slots = job.memory, .host = pattern});
  else run_floor(&job);
  if (!job.reading) commit_image(job.dir, job.fd);
  _exit(0);
}

static void run_streams(const char *mode, const char *dir, int streams, uint64_t bytes, int depth) {
  int ready[2], go[2];
  check(pipe(ready) != 0 || pipe(go) != 0, "pipe");
  for (int i = 0; i < streams; i++) {
    const pid_t pid = fork();
    check(pid < 0, "fork");
    if (pid > 0) continue;
    close(go[1]);
    stream(mode, dir, i, bytes, depth, go[0], ready[1]);
  }
  char byte;
  for (int i = 0; i < streams; i++) check(read(ready[0], &byte, 1) != 1, "stream");
  const double begin = now();
  close(go[1]);
  for (int i = 0; i < streams; i++) {
    int state;
    check(wait(&state) < 0 || state != 0, "a stream failed");
  }
  const double end = now();
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpu_s\":%.6f,\"started_ns\":%.0f,\"ended_ns\":%.0f}\n",
         (unsigned long long)bytes * (unsigned)streams, end - begin, cpu_seconds(RUSAGE_CHILDREN), begin * 1e9, end * 1e9);
}

static void run_memcpy(uint64_t bytes, size_t from_bytes, size_t to_bytes) {
  unsigned char *from = pages(from_bytes, 1), *to = pages(to_bytes, 1);
  for (size_t at = 0; at < from_bytes; at += BLOCK) fill(from + at, BLOCK, 1);
  const double begin = now();
  for (uint64_t at = 0; at < bytes; at += BUFFER) memcpy(to + at % to_bytes, from + at % from_bytes, BUFFER);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpu_s\":%.6f}\n", (unsigned long long)bytes, now() - begin,
         cpu_seconds(RUSAGE_SELF));
}

static void run_images(const char *dir, int count) {
  struct job job = {.bytes = 4096};
  double *took = calloc((size_t)count, sizeof *took);
  check(took == NULL, "memory");
  job.memory = pages(4096, 0);
  fill(job.memory, 4096, 1);
  const double begin = now();
  for (int i = 0; i < count; i++) {
    const double at = now();
    snprintf(job.dir, sizeof job.dir, "%s/floor-image-%d", dir, i);
    check(mkdir(job.dir, 0750) != 0, job.dir);
    open_data(&job, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT);
    move(job.fd, job.memory, 4096, 0, 0);
    commit_image(job.dir, job.fd);
    close(job.fd);
    took[i] = now() - at;
  }
  const double seconds = now() - begin;
  printf("{\"count\":%d,\"seconds\":%.6f,\"p50_us\":%.1f,\"cpu_s\":%.6f}\n", count, seconds, median_us(took, count),
         cpu_seconds(RUSAGE_SELF));
  free(took);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  const size_t slots = 3 * (size_t)BLOCK, to = argc == 4 ? (size_t)atoi(argv[3]) << 20 : slots;
  if (strcmp(mode, "memcpy") == 0 && (argc == 3 || argc == 4) && to > 0)
    run_memcpy(strtoull(argv[2], NULL, 10), BLOCK, to);
  else if (strcmp(mode, "copy-out") == 0 && argc == 3) run_memcpy(strtoull(argv[2], NULL, 10), slots, BUFFER);
  else if (strcmp(mode, "image") == 0 && argc == 4) run_images(argv[2], atoi(argv[3]));
  else if (argc >= 5) {
    const int streams = atoi(argv[3]), depth = argc > 5 ? atoi(argv[5]) : 1;
    const uint64_t bytes = strtoull(argv[4], NULL, 10);
    const int most = strncmp(mode, "copy", 4) == 0 ? OVERLAP_LANES_MAX : DEPTH_MAX;
    if (streams < 1 || streams > STREAMS_MAX || depth < 1 || depth > most || bytes == 0) return 2;
    run_streams(mode, argv[2], streams, bytes, depth);
  } else {
    fprintf(stderr, "usage: floor write|read|copy-write|copy-read DIR STREAMS BYTES DEPTH | plain-write|plain-read DIR STREAMS BYTES | "
                    "memcpy BYTES [MIB] | copy-out BYTES | image DIR COUNT\n");
    return 2;
  }
  return 0;
}
