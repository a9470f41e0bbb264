// small_files.cc: reading side by side hides how long each call takes, on storage behind a network.
#include "small_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "files.h"
#include "syscalls.h"
#include "thread.h"

namespace vast_ost {

namespace {

/** A file that takes longer than this to open and read is not in memory. */
constexpr int64_t slowNs = 100000;

/** With the caller two files each, where as many are asked for as a lane's answer has room for. */
constexpr uint32_t helpersMax = 15;

/** What the last call of this thread found. */
thread_local bool storageIsSlow = false;

struct Batch {
  const int dir;
  const SmallFiles& files;
  uint8_t* const bytes;
  const size_t each;
  int32_t* const results;
  std::atomic<uint32_t> next{0};
  /** The caller's, and each helper's: whoever leaves last frees it. The caller waits, so its memory stays until then. */
  std::atomic<uint32_t> references{1};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
  uint32_t running = 0;
};

int32_t readOne(const Batch& batch, uint32_t i) {
  const char* path = batch.files.paths[i];
  if (path[0] == '\0') return -ENAMETOOLONG;
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
  const int64_t fd = restarted([&] { return openat(batch.dir, path, flags, 0); });
  if (fd < 0) return static_cast<int32_t>(fd);
  const int64_t got = readUpTo(static_cast<int>(fd), false, batch.bytes + i * batch.each, batch.each, batch.each, 0);
  close(static_cast<int>(fd));
  return static_cast<int32_t>(got);
}

void readAll(Batch& batch) {
  for (;;) {
    const uint32_t i = batch.next.fetch_add(1, std::memory_order_relaxed);
    if (i >= batch.files.count) return;
    batch.results[i] = readOne(batch, i);
  }
}

void leave(Batch* batch) {
  if (batch->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  pthread_cond_destroy(&batch->idle);
  pthread_mutex_destroy(&batch->mutex);
  delete batch;
}

void* help(void* argument) {
  auto* batch = static_cast<Batch*>(argument);
  readAll(*batch);
  pthread_mutex_lock(&batch->mutex);
  if (--batch->running == 0) pthread_cond_signal(&batch->idle);
  pthread_mutex_unlock(&batch->mutex);
  leave(batch);
  return nullptr;
}

/** Fewer, or none, where the system gives no more threads: the caller reads what they do not. */
void startHelpers(Batch* batch) {
  for (uint32_t i = 1; i < batch->files.count && i <= helpersMax; i++) {
    batch->references.fetch_add(1, std::memory_order_relaxed);
    pthread_mutex_lock(&batch->mutex);
    batch->running++;
    pthread_mutex_unlock(&batch->mutex);
    if (startThread(help, batch) == 0) continue;
    pthread_mutex_lock(&batch->mutex);
    batch->running--;
    pthread_mutex_unlock(&batch->mutex);
    batch->references.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
}

void awaitHelpers(Batch* batch) {
  pthread_mutex_lock(&batch->mutex);
  while (batch->running > 0) pthread_cond_wait(&batch->idle, &batch->mutex);
  pthread_mutex_unlock(&batch->mutex);
}

int64_t nowNs() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

}  // namespace

int64_t readFiles(int32_t dir, const SmallFiles& files, uint8_t* bytes, size_t each, int32_t* results) {
  const Ref<File> at = getFile(dir);
  if (!at) return -EBADF;
  if (files.count == 0) return 0;
  auto* batch = new Batch{at->fd, files, bytes, each, results};
  const bool side = storageIsSlow && files.count > 1;
  const int64_t began = nowNs();
  if (side) startHelpers(batch);
  readAll(*batch);
  if (side) awaitHelpers(batch);
  // Side by side each reads its share, one after the other.
  const int64_t turns = side ? (files.count + helpersMax) / (helpersMax + 1) : files.count;
  storageIsSlow = (nowNs() - began) / turns > slowNs;
  leave(batch);
  return 0;
}

}  // namespace vast_ost
