/*
 * macro: the bare programs beside the workloads that are no plain backup or restore.
 *
 *   macro reads  DIR STREAMS READ COUNT SEED   O_DIRECT preads of READ bytes of what `floor write` left in DIR, at the places
 *                                              where `vast-ost-host restore --random-reads COUNT --read-bytes READ --seed
 *                                              SEED` reads too
 *   macro list   DIR names|metas|details       getdents64; and open, read, close of each image.meta; and stat of image.data
 *   macro copy   FROM TO                       image.data of the directory FROM into the new directory TO by FICLONE, else by
 *                                              copy_file_range, and the fsyncs of a complete image
 *   macro forget FILE…                         takes the files, which must be durable, out of the page cache
 *   macro images DIR PROCESSES COUNT           the bare sequence of the commit protocol around 4 KiB, COUNT times in all
 *
 * Prints one line of JSON. Seconds run from the first process's begin to the last one's end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../native/host/latency.h"
#include "../../native/host/words.h"
#include "steps.h"
#include "timing.h"

#ifndef FICLONE
#define FICLONE _IOW(0x94, 9, int)
#endif
#define PROCESSES_MAX 64
#define IMAGE_BYTES 4096

struct task {
  const char *dir;
  int number, processes;
  uint64_t bytes, count, seed;
  struct latency *latency; /* shared with the first process */
};

static double cpu_seconds(int who) {
  struct rusage u;
  getrusage(who, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void *shared(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  check(memory == MAP_FAILED, "mmap");
  return memory;
}

static void took(const struct task *task, double begin) {
  latency_add(task->latency, (uint64_t)((now() - begin) * 1e9));
}

static void read_at_random(const struct task *task) {
  char path[600];
  snprintf(path, sizeof path, "%s/floor-%d/image.data", task->dir, task->number);
  const int fd = open(path, O_RDONLY | O_DIRECT);
  struct stat stat;
  check(fd < 0 || fstat(fd, &stat) != 0, path);
  const uint64_t places = (uint64_t)stat.st_size / task->bytes;
  void *memory = mmap(NULL, task->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  check(memory == MAP_FAILED || places == 0, "a file of that size");
  for (uint64_t i = 0; i < task->count; i++) {
    const off_t at = (off_t)(words_at(task->seed, 2 * i) % places * task->bytes);
    const double begin = now();
    check(pread(fd, memory, task->bytes, at) != (ssize_t)task->bytes, "pread");
    took(task, begin);
  }
  close(fd);
}

static void write_images(const struct task *task) {
  static unsigned char bytes[IMAGE_BYTES] __attribute__((aligned(4096)));
  words_fill((uint64_t)task->number + 1, 0, bytes, sizeof bytes);
  for (uint64_t i = (uint64_t)task->number; i < task->count; i += (uint64_t)task->processes) {
    char dir[560], path[600];
    const double begin = now();
    snprintf(dir, sizeof dir, "%s/image-%llu", task->dir, (unsigned long long)i);
    snprintf(path, sizeof path, "%s/image.data", dir);
    check(mkdir(dir, 0750) != 0, dir);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT, 0640);
    check(fd < 0 || pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes, path);
    commit_image(dir, fd);
    close(fd);
    took(task, begin);
  }
}

static void run(struct task task, void (*function)(const struct task *)) {
  struct latency *all = shared(sizeof *all * (size_t)task.processes);
  int go[2];
  check(pipe(go) != 0, "pipe");
  for (int i = 0; i < task.processes; i++) {
    const pid_t pid = fork();
    check(pid < 0, "fork");
    if (pid > 0) continue;
    char byte;
    close(go[1]);
    check(read(go[0], &byte, 1) != 0, "go");
    task.number = i;
    task.latency = &all[i];
    function(&task);
    _exit(0);
  }
  const double begin = now();
  close(go[1]);
  for (int i = 0; i < task.processes; i++) {
    int state;
    check(wait(&state) < 0 || state != 0, "a process failed");
  }
  const double seconds = now() - begin;
  for (int i = 1; i < task.processes; i++) latency_merge(&all[0], &all[i]);
  struct json json = {.out = stdout};
  json_open(&json, NULL, '{');
  json_number(&json, "count", all[0].n);
  json_number(&json, "bytes", all[0].n * task.bytes);
  json_decimal(&json, "seconds", seconds);
  json_decimal(&json, "cpu_s", cpu_seconds(RUSAGE_CHILDREN));
  json_open(&json, "latency", '[');
  latency_report(&json, task.bytes == IMAGE_BYTES && function == write_images ? "image" : "read", &all[0]);
  json_close(&json, ']');
  json_close(&json, '}');
  json_end(&json);
}

/* --- listing ------------------------------------------------------------------------------------------------------ */

static void look_at_image(int dir, const char *name, int details) {
  static char text[1 << 17];
  char path[600];
  snprintf(path, sizeof path, "%s/image.meta", name);
  const int fd = openat(dir, path, O_RDONLY);
  check(fd < 0 || pread(fd, text, sizeof text, 0) < 0, path);
  close(fd);
  if (!details) return;
  struct statx stat;
  snprintf(path, sizeof path, "%s/image.data", name);
  check(statx(dir, path, 0, STATX_SIZE, &stat) != 0, path);
}

static void list(const char *path, int metas, int details) {
  static char buffer[1 << 16];
  uint64_t count = 0;
  const double begin = now();
  double first = begin;
  const int dir = open(path, O_RDONLY | O_DIRECTORY);
  check(dir < 0, path);
  for (;;) {
    const long length = syscall(SYS_getdents64, dir, buffer, sizeof buffer, 0, 0, 0);
    check(length < 0, "getdents64");
    if (length == 0) break;
    for (long at = 0; at < length;) {
      uint16_t bytes;
      memcpy(&bytes, buffer + at + 16, sizeof bytes);
      const char *name = buffer + at + 19;
      at += bytes;
      if (*name == '.' || buffer[at - bytes + 18] != DT_DIR) continue;
      if (metas) look_at_image(dir, name, details);
      if (count++ == 0) first = now();
    }
  }
  close(dir);
  printf("{\"count\":%llu,\"first_s\":%.6f,\"seconds\":%.6f,\"cpu_s\":%.6f}\n", (unsigned long long)count, first - begin,
         now() - begin, cpu_seconds(RUSAGE_SELF));
}

/* --- copying ------------------------------------------------------------------------------------------------------ */

static void copy(const char *from, const char *to) {
  char source[600], target[600];
  snprintf(source, sizeof source, "%s/image.data", from);
  snprintf(target, sizeof target, "%s/image.data", to);
  const double begin = now();
  const int in = open(source, O_RDONLY);
  struct stat stat;
  check(in < 0 || fstat(in, &stat) != 0, source);
  check(mkdir(to, 0750) != 0, to);
  const int out = open(target, O_WRONLY | O_CREAT | O_EXCL, 0640);
  check(out < 0, target);
  const char *method = "FICLONE";
  if (ioctl(out, FICLONE, in) != 0) {
    method = "copy_file_range";
    for (off_t left = stat.st_size; left > 0;) {
      const ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t)left, 0);
      check(n <= 0, method);
      left -= n;
    }
  }
  commit_image(to, out);
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"cpu_s\":%.6f,\"method\":\"%s\"}\n", (unsigned long long)stat.st_size,
         now() - begin, cpu_seconds(RUSAGE_SELF), method);
  close(in);
  close(out);
}

static void forget(char **paths) {
  for (; *paths != NULL; paths++) {
    const int fd = open(*paths, O_RDONLY);
    check(fd < 0, *paths);
    errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    check(errno != 0, *paths);
    close(fd);
  }
  printf("{}\n");
}

static uint64_t number(const char *text) { return strtoull(text, NULL, 10); }

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  if (strcmp(mode, "list") == 0 && argc == 4) {
    list(argv[2], strcmp(argv[3], "names") != 0, strcmp(argv[3], "details") == 0);
  } else if (strcmp(mode, "forget") == 0) {
    forget(argv + 2);
  } else if (strcmp(mode, "copy") == 0 && argc == 4) {
    copy(argv[2], argv[3]);
  } else if ((strcmp(mode, "reads") == 0 && argc == 7) || (strcmp(mode, "images") == 0 && argc == 5)) {
    struct task task = {.dir = argv[2], .processes = (int)number(argv[3]), .bytes = IMAGE_BYTES, .count = number(argv[argc - 1])};
    if (task.processes < 1 || task.processes > PROCESSES_MAX) return 2;
    if (argc == 7) {
      task.bytes = number(argv[4]);
      task.count = number(argv[5]);
      task.seed = number(argv[6]);
      if (task.bytes == 0) return 2;
    }
    run(task, argc == 7 ? read_at_random : write_images);
  } else {
    fprintf(stderr, "usage: macro reads DIR STREAMS READ COUNT SEED | list DIR names|metas|details | copy FROM TO | forget FILE... | "
                    "images DIR PROCESSES COUNT\n");
    return 2;
  }
  return 0;
}
