#include "streams.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

static void print_progress(uint64_t bytes, uint64_t ns, uint64_t running) {
  fprintf(stderr, "progress: %.3f GB, %.2f GB/s, %llu running\n", (double)bytes / 1e9,
          ns == 0 ? 0 : (double)bytes / (double)ns, (unsigned long long)running);
}

void stream_started(struct stream *stream) {
  stream->cpu = cpu_now();
  stream->started_ns = clock_ns();
  uint64_t none = 0;
  atomic_compare_exchange_strong(stream->first_ns, &none, stream->started_ns);
}

void stream_called(struct stream *stream, enum call_kind kind, uint64_t began) {
  stream->called_ns = clock_ns();
  latency_add(&stream->measures->calls[kind], stream->called_ns - began);
}

void stream_ended(struct stream *stream) {
  struct cpu_time now = cpu_now();
  stream->ended_ns = clock_ns();
  stream->cpu.user_ns = now.user_ns - stream->cpu.user_ns;
  stream->cpu.system_ns = now.system_ns - stream->cpu.system_ns;
}

void stream_moved(const struct options *options, struct stream *stream, uint64_t bytes) {
  static uint64_t told_ns;
  series_add(&stream->measures->series, stream->called_ns - atomic_load_explicit(stream->first_ns, memory_order_relaxed),
             bytes);
  uint64_t moved = atomic_load_explicit(&stream->moved, memory_order_relaxed) + bytes;
  atomic_store_explicit(&stream->moved, moved, memory_order_relaxed);
  if (!options->progress || stream->number != 0) return;
  uint64_t now = clock_ns();
  if (now - told_ns < 1000000000u) return;
  if (told_ns != 0) print_progress(moved, now - stream->started_ns, 1);
  told_ns = now;
}

static void outcome_of_death(struct stream *stream, int wait_status) {
  if (stream->finished && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return;
  struct outcome *outcome = &stream->outcome;
  outcome->status = HOST_FAILED;
  if (WIFSIGNALED(wait_status)) {
    snprintf(outcome->text, sizeof outcome->text, "the process of stream %llu was ended by signal %d",
             (unsigned long long)stream->number, WTERMSIG(wait_status));
  } else {
    snprintf(outcome->text, sizeof outcome->text, "the process of stream %llu ended with code %d without a result",
             (unsigned long long)stream->number, WEXITSTATUS(wait_status));
  }
}

/* Waits for all; wakes once a second for the progress line. SIGCHLD is blocked, so that none is missed. */
static void wait_for_all(const struct options *options, struct stream *streams, const pid_t *pids, uint64_t count,
                         const sigset_t *child_signal) {
  uint64_t running = count, began = clock_ns(), told = began;
  while (running > 0) {
    int wait_status = 0;
    pid_t pid = waitpid(-1, &wait_status, WNOHANG);
    if (pid > 0) {
      for (uint64_t i = 0; i < count; i++) {
        if (pids[i] != pid) continue;
        outcome_of_death(&streams[i], wait_status);
        running--;
      }
      continue;
    }
    if (pid < 0 && errno != EINTR) break; /* no child left: those unaccounted for have no result and count as failed */
    sigtimedwait(child_signal, NULL, &(struct timespec){.tv_sec = 1});
    uint64_t now = clock_ns(), moved = 0;
    if (!options->progress || now - told < 1000000000u) continue;
    for (uint64_t i = 0; i < count; i++) moved += atomic_load_explicit(&streams[i].moved, memory_order_relaxed);
    print_progress(moved, now - began, running);
    told = now;
  }
}

static bool start_all(const struct options *options, struct stream *streams, pid_t *pids, uint64_t count,
                      stream_function *function, const sigset_t *old_mask) {
  fflush(NULL); /* else a child prints the parent's buffer again */
  for (uint64_t i = 0; i < count; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      sigprocmask(SIG_SETMASK, old_mask, NULL);
      prctl(PR_SET_PDEATHSIG, SIGTERM); /* no stream outlives the program that was to report it */
      function(options, &streams[i]);
      streams[i].finished = true;
      fflush(NULL);
      _exit(0);
    }
    if (pids[i] > 0) continue;
    fprintf(stderr, "vast-ost-host: cannot fork stream %llu: %s\n", (unsigned long long)i + 1, strerror(errno));
    for (uint64_t started = 0; started < i; started++) kill(pids[started], SIGTERM);
    for (uint64_t started = 0; started < i; started++) waitpid(pids[started], NULL, 0);
    return false;
  }
  return true;
}

struct shared {
  _Atomic uint64_t first_ns;
  struct measures *measures;
  struct stream streams[];
};

static size_t shared_bytes(uint64_t count) { return sizeof(struct shared) + count * sizeof(struct stream); }

static void *shared_memory(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

/* Pages come when they are touched: a stream costs what it uses of its histograms. */
static struct shared *shared_open(uint64_t count) {
  struct shared *shared = shared_memory(shared_bytes(count));
  if (shared == NULL) return NULL;
  shared->measures = shared_memory(count * sizeof(struct measures));
  if (shared->measures == NULL) return NULL;
  for (uint64_t i = 0; i < count; i++) {
    shared->streams[i].measures = &shared->measures[i];
    shared->streams[i].first_ns = &shared->first_ns;
  }
  return shared;
}

int streams_run(const struct options *options, uint64_t count, stream_function *function, bool data_on_stdout) {
  bool forked = count > 0;
  uint64_t number = forked ? count : 1;
  struct shared *shared = shared_open(number);
  if (shared == NULL) {
    fprintf(stderr, "vast-ost-host: no memory for %llu streams\n", (unsigned long long)number);
    return EXIT_FAILED;
  }
  struct stream *streams = shared->streams;
  for (uint64_t i = 0; i < number; i++) {
    streams[i].number = forked ? i + 1 : 0;
    if (!options_image(options, streams[i].number, &streams[i].def)) return EXIT_USAGE;
  }
  if (!forked) {
    function(options, streams);
  } else {
    sigset_t child_signal, old_mask;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, &old_mask);
    pid_t pids[STREAMS_MAX] = {0};
    if (!start_all(options, streams, pids, count, function, &old_mask)) return EXIT_FAILED;
    wait_for_all(options, streams, pids, count, &child_signal);
    sigprocmask(SIG_SETMASK, &old_mask, NULL);
  }
  int exit_code = streams_report(options, streams, number, data_on_stdout);
  munmap(shared->measures, number * sizeof(struct measures));
  munmap(shared, shared_bytes(number));
  return exit_code;
}
