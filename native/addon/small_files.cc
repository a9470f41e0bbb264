// small_files.cc: reading side by side hides how long each call takes, on storage behind a network.
#include "small_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "files.h"
#include "syscalls.h"
#include "thread.h"

namespace vast_ost {

namespace {

/** A file that takes longer than this to open and read is not in memory. */
constexpr int64_t slowNs = 100000;
/** So many in a row are no processor that was taken away for a moment. */
constexpr uint32_t slowInARow = 3;
/** With the caller as many as one client of NFS keeps under way without holding others up. */
constexpr uint32_t helpersMax = 15;

constexpr size_t headBytes = 8;
constexpr size_t offsetBytes = 4;
constexpr size_t entryHeadBytes = 8;
constexpr size_t suffixBytesMax = 64;

struct Listed {
  ListTurn::Name name;
  /** In `out`; 0: nothing to show. */
  uint32_t offset = 0;
  uint32_t bytes = 0;
  /** False: `out` had no room for it, or for one before it. */
  bool read = false;
};

struct Batch {
  const int dir;
  const char* const suffix;
  uint8_t* const out;
  const size_t outBytes;
  uint32_t count = 0;
  Listed listed[listedMax];
  std::atomic<uint32_t> next{0};
  std::atomic<size_t> used{0};
  std::atomic<uint32_t> slow{0};
  bool helped = false;
  /** The caller's, and each helper's: whoever leaves last frees it. The caller waits, so `out` stays until then. */
  std::atomic<uint32_t> references{1};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
  uint32_t running = 0;

  Batch(int at, const char* below, uint8_t* to, size_t toBytes) : dir(at), suffix(below), out(to), outBytes(toBytes) {}
};

int64_t nowNs() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

/** File systems may leave the kind of an entry open. What cannot be told is for who reads it by itself. */
bool isOther(const Batch& batch, const ListTurn::Name& name) {
  if (name.type == DT_DIR) return false;
  if (name.type != DT_UNKNOWN) return true;
  struct statx st;
  const int64_t result =
      restarted([&] { return statx(batch.dir, name.text, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st); });
  return result >= 0 && !S_ISDIR(st.stx_mode);
}

/** Bytes of the file, or −errno. */
int64_t readBelow(const Batch& batch, const char* name, uint8_t* bytes) {
  char path[NAME_MAX + 1 + suffixBytesMax];
  const int length = snprintf(path, sizeof path, "%s/%s", name, batch.suffix);
  if (length < 0 || static_cast<size_t>(length) >= sizeof path) return -ENAMETOOLONG;
  // What is no file may not hold the list up: a FIFO would, until somebody writes into it.
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  const int64_t fd = restarted([&] { return openat(batch.dir, path, flags, 0); });
  if (fd < 0) return fd;
  const int64_t got = readUpTo(static_cast<int>(fd), false, bytes, listedFileBytes, listedFileBytes, 0);
  close(static_cast<int>(fd));
  return got == listedFileBytes ? -EFBIG : got;
}

void readOne(Batch& batch, Listed& one) {
  one.read = true;
  if (one.name.text[0] == '.' || isOther(batch, one.name)) return;
  uint8_t bytes[listedFileBytes];
  const auto result = static_cast<int32_t>(readBelow(batch, one.name.text, bytes));
  const auto nameBytes = static_cast<uint32_t>(strlen(one.name.text));
  const size_t fileBytes = result > 0 ? static_cast<size_t>(result) : 0;
  const size_t size = entryHeadBytes + nameBytes + fileBytes;
  const size_t at = batch.used.fetch_add(size, std::memory_order_relaxed);
  if (at + size > batch.outBytes) {
    one.read = false;
    return;
  }
  uint8_t* to = batch.out + at;
  memcpy(to, &result, sizeof result);
  memcpy(to + sizeof result, &nameBytes, sizeof nameBytes);
  memcpy(to + entryHeadBytes, one.name.text, nameBytes);
  memcpy(to + entryHeadBytes + nameBytes, bytes, fileBytes);
  one.offset = static_cast<uint32_t>(at);
  one.bytes = static_cast<uint32_t>(size);
}

/** False: all have been taken, or `out` is full: those that are left would only be read once more by the next call. */
bool takeOne(Batch& batch, bool& late) {
  if (batch.used.load(std::memory_order_relaxed) > batch.outBytes) return false;
  const uint32_t i = batch.next.fetch_add(1, std::memory_order_relaxed);
  if (i >= batch.count) return false;
  const int64_t began = nowNs();
  readOne(batch, batch.listed[i]);
  late = nowNs() - began > slowNs;
  if (late) batch.slow.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void leave(Batch* batch) {
  if (batch->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  pthread_cond_destroy(&batch->idle);
  pthread_mutex_destroy(&batch->mutex);
  delete batch;
}

void* help(void* argument) {
  auto* batch = static_cast<Batch*>(argument);
  bool late;
  while (takeOne(*batch, late)) {
  }
  pthread_mutex_lock(&batch->mutex);
  if (--batch->running == 0) pthread_cond_signal(&batch->idle);
  pthread_mutex_unlock(&batch->mutex);
  leave(batch);
  return nullptr;
}

/** Fewer, or none, where the system gives no more threads: the caller reads what they do not. */
void startHelpers(Batch* batch) {
  batch->helped = true;
  const uint32_t taken = batch->next.load(std::memory_order_relaxed);
  for (uint32_t i = 1; taken + i < batch->count && i <= helpersMax; i++) {
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

/** Side by side from the beginning where the call before found storage slow, else from where it shows. */
void readAll(Batch* batch, bool wasSlow) {
  if (wasSlow) startHelpers(batch);
  bool late;
  for (uint32_t lateInARow = 0; takeOne(*batch, late);) {
    lateInARow = late ? lateInARow + 1 : 0;
    if (lateInARow == slowInARow && !batch->helped) startHelpers(batch);
  }
  pthread_mutex_lock(&batch->mutex);
  while (batch->running > 0) pthread_cond_wait(&batch->idle, &batch->mutex);
  pthread_mutex_unlock(&batch->mutex);
}

/** Helpers count on beyond the last one. */
uint32_t lookedAt(const Batch& batch) {
  const uint32_t next = batch.next.load(std::memory_order_relaxed);
  return next < batch.count ? next : batch.count;
}

/** The next names, which stay in the list. Their count; 0: the end; −errno. */
int64_t peek(ListTurn& turn, Batch& batch, uint32_t max) {
  for (;;) {
    const int64_t filled = turn.fill();
    if (filled <= 0) return filled;
    const size_t before = turn->at;
    while (batch.count < max && turn.next(batch.listed[batch.count].name)) batch.count++;
    if (batch.count == 0) continue;
    turn->at = before;
    return batch.count;
  }
}

void putU32(uint8_t* to, size_t value) {
  const auto word = static_cast<uint32_t>(value);
  memcpy(to, &word, sizeof word);
}

/** Up to the first one that had no room. Returns how many. */
uint32_t writeHead(const Batch& batch) {
  uint32_t count = 0;
  size_t used = headBytes + offsetBytes * batch.count;
  for (; count < batch.count && batch.listed[count].read; count++) {
    const Listed& one = batch.listed[count];
    putU32(batch.out + headBytes + offsetBytes * count, one.offset);
    const size_t end = size_t{one.offset} + one.bytes;
    used = end > used ? end : used;
  }
  putU32(batch.out, used);
  putU32(batch.out + 4, count);
  return count;
}

}  // namespace

int64_t readListed(int32_t list, const char* suffix, uint32_t max, uint8_t* out, size_t outBytes) {
  if (max == 0 || max > listedMax || outBytes < listedBytesMin || strlen(suffix) > suffixBytesMax) return -EINVAL;
  ListTurn turn(list);
  if (turn.error() < 0) return turn.error();
  auto* batch = new Batch(turn->fd, suffix, out, outBytes);
  int64_t result = peek(turn, *batch, max);
  if (result > 0) {
    batch->used.store(headBytes + offsetBytes * batch->count, std::memory_order_relaxed);
    readAll(batch, turn->slow);
    turn->slow = 2 * batch->slow.load(std::memory_order_relaxed) > lookedAt(*batch);
    result = writeHead(*batch);
    if (result == 0) {
      // Others were there first: alone it has room.
      batch->count = 1;
      batch->used.store(headBytes + offsetBytes, std::memory_order_relaxed);
      readOne(*batch, batch->listed[0]);
      result = writeHead(*batch);
    }
  }
  leave(batch);
  return result;
}

int64_t skipNames(int32_t list, uint32_t count) {
  ListTurn turn(list);
  if (turn.error() < 0) return turn.error();
  ListTurn::Name name;
  uint32_t skipped = 0;
  while (skipped < count && turn.next(name)) skipped++;
  return skipped;
}

}  // namespace vast_ost
