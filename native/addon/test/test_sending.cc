// test_sending.cc: many sends at once over real sockets; readers that are slow, stop, or go away; sends that are stopped.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "../arena.h"
#include "../send.h"
#include "check.h"
#include "faults.h"

using namespace vast_ost;

namespace harness {

namespace {

constexpr uint64_t mib = 1 << 20;
constexpr uint64_t arenaBytes = 16 * mib;
constexpr int patience = 30000;
constexpr int senders = 4;

struct Heard {
  std::atomic<int> times{0};
  int64_t result = 0;
};

void hear(void* context, int64_t result, uint64_t) {
  auto* heard = static_cast<Heard*>(context);
  heard->result = result;
  heard->times.fetch_add(1);
}

int64_t resultOf(const Heard& heard) {
  for (int i = 0; heard.times.load() == 0; ++i) {
    TRUE(i < patience);
    usleep(1000);
  }
  EQUAL(heard.times.load(), 1);
  return heard.result;
}

/** A TCP connection to ourselves: [0] does not block, as an event loop's do. */
void connection(int ends[2]) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EQUAL(bind(listener, reinterpret_cast<struct sockaddr*>(&at), sizeof at), 0);
  EQUAL(listen(listener, 1), 0);
  EQUAL(getsockname(listener, reinterpret_cast<struct sockaddr*>(&at), &size), 0);
  ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  TRUE(connect(ends[0], reinterpret_cast<struct sockaddr*>(&at), sizeof at) == 0 || errno == EINPROGRESS);
  ends[1] = accept(listener, nullptr, nullptr);
  TRUE(ends[1] >= 0);
  struct pollfd ready = {ends[0], POLLOUT, 0};
  EQUAL(poll(&ready, 1, patience), 1);
  close(listener);
}

/** 0 at the end of the stream, −1 where it was cut. */
int64_t readAll(int socket, uint8_t* bytes, uint64_t length) {
  for (uint64_t got = 0; got < length;) {
    const ssize_t count = recv(socket, bytes + got, length - got, 0);
    if (count <= 0) return count;
    got += static_cast<uint64_t>(count);
  }
  return static_cast<int64_t>(length);
}

struct Job {
  pthread_t thread;
  uint64_t seed;
  uint64_t rounds;
  int32_t arena;
  const uint8_t* bytes;
};

/** What is sent arrives as it stands in the arena, or is stopped in its midst; told of once, and soon. */
void* sendAndStop(void* argument) {
  const Job& job = *static_cast<Job*>(argument);
  Random random(job.seed);
  auto* got = static_cast<uint8_t*>(malloc(arenaBytes));
  for (uint64_t round = 0; round < job.rounds; ++round) {
    int ends[2];
    connection(ends);
    const uint64_t offset = random.below(arenaBytes);
    const uint64_t length = 1 + random.below(arenaBytes - offset);
    Heard heard;
    const int64_t id = sendOpen(ends[0], job.arena, offset, length, patience, 0, hear, &heard);
    TRUE(id > 0);
    close(ends[0]);  // its own descriptor is enough
    const uint64_t kind = random.below(3);
    if (kind == 0) {
      EQUAL(readAll(ends[1], got, length), length);
      EQUAL(memcmp(got, job.bytes + offset, length), 0);
      EQUAL(resultOf(heard), length);
      EQUAL(readAll(ends[1], got, 1), 0);  // and nothing keeps the connection
      EQUAL(sendStop(static_cast<int32_t>(id)), -EBADF);
      EQUAL(sendIsLast(static_cast<int32_t>(id)), -EBADF);
    } else if (kind == 1) {
      (void)readAll(ends[1], got, 1 + random.below(length));
      const int64_t stopped = sendStop(static_cast<int32_t>(id));
      const int64_t result = resultOf(heard);
      if (result != static_cast<int64_t>(length)) {
        EQUAL(stopped, 0);
        TRUE(result == -EPIPE || result == -ECONNRESET);
      }
    } else {
      (void)readAll(ends[1], got, 1 + random.below(length));
      close(ends[1]);
      ends[1] = -1;
      const int64_t result = resultOf(heard);
      TRUE(result == static_cast<int64_t>(length) || result == -EPIPE || result == -ECONNRESET);
    }
    if (ends[1] >= 0) close(ends[1]);
  }
  free(got);
  return nullptr;
}

/** A socket that takes nothing ends it; the memory stays for as long as that takes, and not longer. */
void stalls(int32_t arena) {
  int ends[2];
  connection(ends);
  Heard heard;
  const int64_t id = sendOpen(ends[0], arena, 0, arenaBytes, 50, 0, hear, &heard);
  TRUE(id > 0);
  EQUAL(arenaRenew(arena), -EBUSY);
  EQUAL(sendIsLast(static_cast<int32_t>(id)), 0);
  EQUAL(arenaClose(arena), 0);
  EQUAL(resultOf(heard), -ETIMEDOUT);
  EQUAL(Arena::live.load(), 0);
  close(ends[0]);
  close(ends[1]);
}

/** Of the connection whose sender waits for room. */
int reader = -1;
int waits = 0;

/** Two time limits pass, in each of which some bytes are taken; then all are, and the socket is looked at. */
int takesSlowly() {
  static uint8_t bytes[64 * 1024];
  const bool isLong = ++waits % 3 != 0;
  while (recv(reader, bytes, sizeof bytes, MSG_DONTWAIT) > 0 && !isLong) continue;
  return isLong ? 0 : pollPasses;
}

/** By a local socket, which tells at once of what was taken; TCP does when a good part of its window is free again. */
int64_t sentSlowly(int32_t arena, uint64_t leastBytes) {
  int ends[2];
  EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  reader = ends[1];
  waits = 0;
  hookPoll(takesSlowly);
  Heard heard;
  TRUE(sendOpen(ends[0], arena, 0, mib, patience, leastBytes, hear, &heard) > 0);
  const int64_t result = resultOf(heard);
  hookPoll(nullptr);
  close(ends[0]);
  close(ends[1]);
  return result;
}

/** A socket that takes some goes on, however long it has no room; one that takes less than is demanded does not. */
void isSlow(int32_t arena) {
  EQUAL(sentSlowly(arena, 0), mib);
  TRUE(waits >= 3);
  EQUAL(sentSlowly(arena, 1024), mib);
  EQUAL(sentSlowly(arena, mib), -ETIMEDOUT);
  EQUAL(waits, 1);
}

}  // namespace

void testSending(const Setting& setting) {
  const auto arena = static_cast<int32_t>(arenaOpen(arenaBytes));
  TRUE(arena > 0);
  auto* bytes = static_cast<uint8_t*>(malloc(arenaBytes));
  Random(setting.seed).fill(bytes, arenaBytes);
  EQUAL(arenaPoke(arena, 0, bytes, arenaBytes), arenaBytes);
  Job jobs[senders];
  for (int i = 0; i < senders; ++i) {
    jobs[i] = {{}, setting.seed + static_cast<uint64_t>(i), setting.rounds / 40, arena, bytes};
    EQUAL(pthread_create(&jobs[i].thread, nullptr, sendAndStop, &jobs[i]), 0);
  }
  for (Job& job : jobs) EQUAL(pthread_join(job.thread, nullptr), 0);
  EQUAL(sendCount(), 0);
  Heard none;
  EQUAL(sendOpen(-1, arena, 0, 1, 1, 0, hear, &none), -EBADF);
  EQUAL(sendOpen(0, -1, 0, 1, 1, 0, hear, &none), -EBADF);
  EQUAL(sendOpen(0, arena, arenaBytes, 1, 1, 0, hear, &none), -EFAULT);
  EQUAL(sendOpen(0, arena, 0, 0, 1, 0, hear, &none), -EFAULT);
  EQUAL(sendStop(0), -EBADF);
  isSlow(arena);
  stalls(arena);
  EQUAL(none.times.load(), 0);
  EQUAL(sendCount(), 0);
  free(bytes);
}

}  // namespace harness
