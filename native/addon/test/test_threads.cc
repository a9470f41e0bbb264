/*
 * test_threads.cc: many threads share files, arenas, lists and SHA states by id, and close them under each other's hands.
 *
 * Every published object carries a tag, and every byte in it is that tag: a call on a published id must meet the tag or
 * −EBADF, never another object's bytes. Run under TSan and ASan this is also the test of their locking and lifetimes.
 */
#include <fcntl.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../arena.h"
#include "../crc64.h"
#include "../digest.h"
#include "../direct_io.h"
#include "../files.h"
#include "../sha256.h"
#include "../small_files.h"
#include "check.h"

using namespace vast_ost;

namespace harness {

namespace {

constexpr int threads = 8;
constexpr size_t places = 12;
constexpr uint8_t tags = 16;
constexpr size_t taggedBytes = 8192;

/** Published objects: id << 8 | tag, 0 when the place is empty. Its taker closes it, all others only use it. */
using Place = std::atomic<uint64_t>;
Place filePlaces[places];
Place arenaPlaces[places];
Place shaPlaces[places];
Place listPlaces[places];

int32_t idOf(uint64_t entry) { return static_cast<int32_t>(entry >> 8); }
uint8_t tagOf(uint64_t entry) { return static_cast<uint8_t>(entry); }

/** Puts a new object into the place and closes the one that was there: nobody else closes it. */
template <int64_t (*closeOne)(int32_t)>
void publish(Place& place, int64_t id, uint8_t tag) {
  TRUE(id > 0);
  const uint64_t old = place.exchange(static_cast<uint64_t>(id) << 8 | tag, std::memory_order_acq_rel);
  if (old == 0) return;
  EQUAL(closeOne(idOf(old)), 0);
  EQUAL(closeOne(idOf(old)), -EBADF);
}

struct Worker {
  pthread_t thread;
  const Setting* setting;
  int number;
  Random random{0};
  int32_t arena = 0;   // its own: [0, taggedBytes) is a landing place
  int32_t file = 0;    // its own, for edges
  uint8_t* model = nullptr;
  uint8_t bytes[taggedBytes];
};
constexpr size_t modelBytes = 64 * 1024;

bool allAre(const uint8_t* bytes, size_t length, uint8_t tag) {
  for (size_t i = 0; i < length; ++i) {
    if (bytes[i] != tag) return false;
  }
  return true;
}

void openTagged(Worker& w) {
  char name[16];
  const auto tag = static_cast<uint8_t>(w.random.below(tags));
  snprintf(name, sizeof name, "tag-%u", tag);
  const int64_t file = openFile(w.setting->dir, name, O_RDONLY | (tag % 2 != 0 ? O_DIRECT : 0), 0);
  publish<closeFile>(filePlaces[w.random.below(places)], file, tag);
}

void readTagged(Worker& w) {
  const uint64_t entry = filePlaces[w.random.below(places)].load(std::memory_order_acquire);
  if (entry == 0) return;
  int64_t got;
  if (w.random.below(2) == 0) {
    got = readSlot(idOf(entry), w.arena, 0, taggedBytes, 0);
    if (got > 0) EQUAL(arenaPeek(w.arena, 0, w.bytes, taggedBytes), taggedBytes);
  } else {
    got = readBytes(idOf(entry), w.bytes, taggedBytes, 0);
  }
  if (got == -EBADF) return;
  EQUAL(got, taggedBytes);
  TRUE(allAre(w.bytes, taggedBytes, tagOf(entry)));
  double stat[statFields];
  const int64_t result = statFile(idOf(entry), stat);
  if (result != -EBADF) EQUAL(stat[0], taggedBytes);
}

void openArena(Worker& w) {
  const auto tag = static_cast<uint8_t>(w.random.below(tags));
  // Some are large enough to be freed by a thread of their own.
  const size_t size = w.random.below(16) == 0 ? (size_t{5} << 20) : taggedBytes;
  const int64_t arena = arenaOpen(size);
  TRUE(arena > 0);
  memset(w.bytes, tag, taggedBytes);
  EQUAL(arenaPoke(static_cast<int32_t>(arena), 0, w.bytes, taggedBytes), taggedBytes);
  publish<arenaClose>(arenaPlaces[w.random.below(places)], arena, tag);
}

void useArena(Worker& w) {
  const uint64_t entry = arenaPlaces[w.random.below(places)].load(std::memory_order_acquire);
  if (entry == 0) return;
  uint64_t expect[2];
  memset(w.bytes, tagOf(entry), taggedBytes);
  expect[0] = expect[1] = crc64_update(0, w.bytes, taggedBytes / 2);
  const int64_t good = verifySlot(idOf(entry), 0, taggedBytes, taggedBytes / 2, expect);
  if (good != -EBADF) EQUAL(good, taggedBytes);
  const int64_t got = arenaPeek(idOf(entry), 0, w.bytes, taggedBytes);
  if (got != -EBADF) TRUE(allAre(w.bytes, taggedBytes, tagOf(entry)));
  const int64_t populated = arenaPopulate(idOf(entry), 0, taggedBytes);
  TRUE(populated == 0 || populated == -EBADF);
}

void openSha(Worker& w) { publish<shaClose>(shaPlaces[w.random.below(places)], shaOpen(), 1); }

void useSha(Worker& w) {
  const uint64_t entry = shaPlaces[w.random.below(places)].load(std::memory_order_acquire);
  if (entry == 0) return;
  // Whole blocks only, so that the state can always be saved: whoever is busy with it is told to come again.
  uint64_t crcs[3];
  const int64_t pieces = digestSlot(w.arena, 0, taggedBytes, 4096, taggedBytes, idOf(entry), crcs);
  TRUE(pieces == 2 || pieces == -EBUSY || pieces == -EBADF);
  uint8_t state[shaStateBytes];
  const int64_t saved = shaSave(idOf(entry), state);
  TRUE(saved == 0 || saved == -EBUSY || saved == -EBADF);
  const int64_t digested = shaDigest(idOf(entry), state);
  TRUE(digested == 0 || digested == -EBUSY || digested == -EBADF);
}

void openNames(Worker& w) { publish<closeList>(listPlaces[w.random.below(places)], openList(w.setting->dir, "."), 1); }

void useNames(Worker& w) {
  const uint64_t entry = listPlaces[w.random.below(places)].load(std::memory_order_acquire);
  if (entry == 0) return;
  uint8_t out[listedBytesMin];
  const int64_t looked = readListed(idOf(entry), "none", 3, out, sizeof out);
  TRUE(looked == -EBUSY || looked == -EBADF || (looked >= 0 && looked <= 3));
  const int64_t skipped = skipNames(idOf(entry), 1);
  TRUE(skipped == -EBUSY || skipped == -EBADF || (skipped >= 0 && skipped <= 1));
  const auto take = [](void* context, const char* name) {
    if (strncmp(name, "tag-", 4) == 0) ++*static_cast<int64_t*>(context);
  };
  int64_t tagged = 0;
  const int64_t count = nextNames(idOf(entry), 5, take, &tagged);
  TRUE(count == -EBUSY || count == -EBADF || (count >= 0 && count <= 5));
  TRUE(tagged <= 5);
}

/** An edge of its own file against a model in memory, and the file's digest. */
void writeOwnEdge(Worker& w) {
  const size_t length = 1 + w.random.below(taggedBytes);
  const size_t at = w.random.below(modelBytes - length);
  w.random.fill(w.bytes, length);
  EQUAL(arenaPoke(w.arena, 0, w.bytes, length), length);
  memcpy(w.model + at, w.bytes, length);
  EQUAL(writeEdge(w.file, w.arena, 0, length, static_cast<int64_t>(at), 4096), length);
  const size_t half = modelBytes / 2;
  const uint64_t expect[] = {half, crc64_update(0, w.model, half), half, crc64_update(0, w.model + half, half)};
  EQUAL(digestFile(w.file, 0, modelBytes, expect, 2, 0), 2);
}

void sumBoth(Worker& w) {
  const size_t length = w.random.below(taggedBytes);
  w.random.fill(w.bytes, length);
  if (w.number == 0) crc64_force_portable(w.random.below(2) == 0);  // while all others compute
  const uint64_t crc = crc64_update(0, w.bytes, length);
  TRUE(crc == crc64_update_portable(0, w.bytes, length));
  const size_t cut = length / 3;
  TRUE(crc == crc64_combine(crc64_update(0, w.bytes, cut), crc64_update(0, w.bytes + cut, length - cut), length - cut));
}

void* work(void* argument) {
  Worker& w = *static_cast<Worker*>(argument);
  void (*const steps[])(Worker&) = {openTagged, readTagged, readTagged, openArena, useArena,     useArena,
                                    openSha,    useSha,     openNames,  useNames,  writeOwnEdge, sumBoth};
  for (uint64_t round = 0; round < w.setting->rounds; ++round) steps[w.random.below(sizeof steps / sizeof *steps)](w);
  return nullptr;
}

template <int64_t (*closeOne)(int32_t)>
void closeAll(Place* all) {
  for (size_t i = 0; i < places; ++i) {
    const uint64_t entry = all[i].exchange(0);
    if (entry != 0) EQUAL(closeOne(idOf(entry)), 0);
  }
}

void makeTagged(const Setting& setting) {
  uint8_t bytes[taggedBytes];
  for (uint8_t tag = 0; tag < tags; ++tag) {
    char name[16];
    snprintf(name, sizeof name, "tag-%u", tag);
    const auto file = static_cast<int32_t>(openFile(setting.dir, name, O_RDWR | O_CREAT, 0640));
    memset(bytes, tag, taggedBytes);
    EQUAL(writeBytes(file, bytes, taggedBytes, 0), taggedBytes);
    EQUAL(closeFile(file), 0);
  }
}

}  // namespace

void testThreads(const Setting& setting) {
  makeTagged(setting);
  static Worker workers[threads];
  for (int i = 0; i < threads; ++i) {
    Worker& w = workers[i];
    w.setting = &setting;
    w.number = i;
    w.random = Random(setting.seed + static_cast<uint64_t>(i) * 7919);
    w.arena = static_cast<int32_t>(arenaOpen(taggedBytes));
    w.model = static_cast<uint8_t*>(calloc(1, modelBytes));
    char name[32];
    snprintf(name, sizeof name, "edge-%d", i);
    w.file = static_cast<int32_t>(openFile(setting.dir, name, O_RDWR | O_CREAT | O_DIRECT, 0640));
    EQUAL(truncateFile(w.file, modelBytes), 0);
  }
  for (Worker& w : workers) EQUAL(pthread_create(&w.thread, nullptr, work, &w), 0);
  for (Worker& w : workers) EQUAL(pthread_join(w.thread, nullptr), 0);
  crc64_force_portable(0);
  closeAll<closeFile>(filePlaces);
  closeAll<arenaClose>(arenaPlaces);
  closeAll<shaClose>(shaPlaces);
  closeAll<closeList>(listPlaces);
  for (Worker& w : workers) {
    EQUAL(closeFile(w.file), 0);
    EQUAL(arenaClose(w.arena), 0);
    free(w.model);
  }
}

}  // namespace harness
