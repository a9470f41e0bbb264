// test_watching.cc: many threads open and close watches while the watched die, with pidfds and without.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "../watch.h"
#include "check.h"

using namespace vast_ost;

namespace harness {

namespace {

constexpr int threads = 4;
constexpr int children = 6;

/** A child that waits for nothing but its end: forked before any thread of this test is there. */
pid_t sleeper() {
  const pid_t pid = fork();
  TRUE(pid >= 0);
  if (pid == 0) {
    for (;;) pause();
  }
  return pid;
}

struct Heard {
  std::atomic<int> fired{0};
  std::atomic<bool> closed{false};
};

void hear(void* context, int32_t) {
  auto* heard = static_cast<Heard*>(context);
  TRUE(!heard->closed.load());  // nothing is told after watchClose has returned
  heard->fired.fetch_add(1);
}

struct Job {
  pthread_t thread;
  uint64_t seed;
  uint64_t rounds;
  const pid_t* pids;
};

/** Opens and closes at random; what it left open must have been told exactly once at the end. */
void* openAndClose(void* argument) {
  const Job& job = *static_cast<Job*>(argument);
  Random random(job.seed);
  for (uint64_t round = 0; round < job.rounds; ++round) {
    Heard heard;
    const int64_t id = watchOpen(job.pids[random.below(children)], hear, &heard);
    TRUE(id > 0);
    const int64_t closed = watchClose(static_cast<int32_t>(id));
    heard.closed.store(true);
    EQUAL(heard.fired.load(), closed == 0 ? 0 : 1);
    if (closed != 0) EQUAL(closed, -EBADF);
  }
  return nullptr;
}

void waitFor(const Heard& heard) {
  for (int i = 0; heard.fired.load() == 0; ++i) {
    TRUE(i < 30000);  // half a minute: longer than any machine needs to look once a second
    usleep(1000);
  }
}

void watching(const Setting& setting, bool pidfd) {
  pretendPidfd(pidfd);
  pid_t pids[children];
  Heard all[children];
  for (pid_t& pid : pids) pid = sleeper();
  int64_t ids[children];
  for (int i = 0; i < children; ++i) {
    ids[i] = watchOpen(pids[i], hear, &all[i]);
    TRUE(ids[i] > 0);
  }
  Job jobs[threads];
  for (int i = 0; i < threads; ++i) {
    jobs[i] = {{}, setting.seed + static_cast<uint64_t>(i), setting.rounds, pids};
    EQUAL(pthread_create(&jobs[i].thread, nullptr, openAndClose, &jobs[i]), 0);
  }
  // Half of them die under the threads' hands; they stay zombies until all is over.
  for (int i = 0; i < children / 2; ++i) kill(pids[i], SIGKILL);
  for (int i = 0; i < children / 2; ++i) waitFor(all[i]);
  for (Job& job : jobs) EQUAL(pthread_join(job.thread, nullptr), 0);
  EQUAL(watchCount(), children - children / 2);
  for (int i = 0; i < children; ++i) EQUAL(all[i].fired.load(), i < children / 2 ? 1 : 0);

  EQUAL(watchClose(static_cast<int32_t>(ids[children - 1])), 0);
  Heard many;
  for (int i = 0; i < 10; ++i) TRUE(watchOpen(pids[children - 1], hear, &many) > 0);
  watchCloseAll(&many);
  many.closed.store(true);
  for (int i = children / 2; i < children; ++i) kill(pids[i], SIGKILL);
  for (int i = children / 2; i < children - 1; ++i) waitFor(all[i]);
  for (const pid_t pid : pids) EQUAL(waitpid(pid, nullptr, 0), pid);
  EQUAL(watchCount(), 0);
  EQUAL(all[children - 1].fired.load(), 0);
  EQUAL(many.fired.load(), 0);

  Heard none;
  TRUE(watchOpen(pids[0], hear, &none) > 0);  // gone, and waited for
  waitFor(none);
  EQUAL(watchOpen(0, hear, &none), -EINVAL);
  EQUAL(watchClose(0), -EBADF);
  pretendPidfd(true);
}

}  // namespace

void testWatching(const Setting& setting) {
  watching(setting, true);
  watching(setting, false);
}

}  // namespace harness
