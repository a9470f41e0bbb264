// watch.cc: the thread that waits for processes to end.
#include "watch.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <atomic>

#include "mutex.h"
#include "thread.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace vast_ost {

namespace {

constexpr size_t watchesMax = 4096;
constexpr int pollMs = 1000;
constexpr uint64_t unknown = UINT64_MAX;
constexpr uint64_t bellData = 0;  // watch ids begin at 1

struct Watch {
  int32_t id;
  pid_t pid;
  int pidfd;           // −1: /proc is looked at
  uint64_t startTime;  // 0: was gone from the start
  WatchGone gone;
  void* context;
};

struct Watcher {
  Mutex mutex;
  Watch watches[watchesMax] = {};
  size_t count = 0;
  size_t polled = 0;  // how many of them have no pidfd
  int32_t lastId = 0;
  int epoll = -1;
  int bell = -1;  // eventfd: a watch was added that epoll alone would not notice
};

std::atomic<bool> pidfdThere{true};

Watcher watcher;  // nothing to destroy: its thread ends with the process

/**
 * Start time of a living process, in ticks since boot. 0 when it is gone, a zombie included: what it did is over.
 * `unknown` when it could not be told this time (no descriptor left …).
 */
uint64_t startTime(pid_t pid) {
  char path[32];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT || errno == ESRCH ? 0 : unknown;
  const ssize_t got = read(fd, text, sizeof text - 1);
  const int error = errno;
  close(fd);
  if (got <= 0) return got == 0 || error == ESRCH ? 0 : unknown;
  text[got] = '\0';
  // "pid (name) state …": the name may hold anything, so count from the last parenthesis. Fields as in proc(5).
  char* at = strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') return unknown;
  at += 2;
  const char state = *at;
  uint64_t threads = 0;
  for (int field = 3; field < 22; ++field) {
    if (field == 20) threads = strtoull(at, nullptr, 10);
    at = strchr(at, ' ');
    if (at == nullptr) return unknown;
    ++at;
  }
  // A leader that has ended while its threads go on is a zombie too, but no dead process.
  if ((state == 'Z' || state == 'X') && threads <= 1) return 0;
  return strtoull(at, nullptr, 10);
}

bool isGone(Watch& watch) {
  const uint64_t now = startTime(watch.pid);
  if (now == unknown) return false;
  if (watch.startTime == unknown) watch.startTime = now;  // the first look that succeeded
  return now == 0 || now != watch.startTime;
}

/** Caller holds the lock. */
void removeAt(Watcher& w, size_t index) {
  const Watch& watch = w.watches[index];
  if (watch.pidfd >= 0) close(watch.pidfd);  // leaves the epoll by that
  else --w.polled;
  w.watches[index] = w.watches[--w.count];
}

/** Caller holds the lock. */
void fireAt(Watcher& w, size_t index) {
  const Watch watch = w.watches[index];
  removeAt(w, index);
  watch.gone(watch.context, watch.id);
}

void fireId(Watcher& w, uint64_t id) {
  const Guard guard(w.mutex);
  for (size_t i = 0; i < w.count; ++i) {
    if (static_cast<uint64_t>(w.watches[i].id) != id) continue;
    fireAt(w, i);
    return;
  }
}

bool lookAround(Watcher& w) {
  const Guard guard(w.mutex);
  for (size_t i = w.count; i-- > 0;) {
    if (w.watches[i].pidfd < 0 && isGone(w.watches[i])) fireAt(w, i);
  }
  return w.polled > 0;
}

void* watchForEver(void* argument) {
  Watcher& w = *static_cast<Watcher*>(argument);
  bool polling = false;
  for (;;) {
    struct epoll_event events[16];
    const int count = epoll_wait(w.epoll, events, 16, polling ? pollMs : -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 != bellData) {
        fireId(w, events[i].data.u64);
        continue;
      }
      uint64_t rings;
      if (read(w.bell, &rings, sizeof rings) < 0 && errno != EAGAIN) abort();
    }
    polling = lookAround(w);
  }
  return nullptr;
}

/** Caller holds the lock. 0 or −errno. */
int start(Watcher& w) {
  if (w.bell >= 0) return 0;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = bellData;
  int error = epoll < 0 || bell < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event) != 0 ? errno : 0;
  if (error == 0) {
    w.epoll = epoll;
    error = startThread(watchForEver, &w);
  }
  if (error != 0) {
    if (epoll >= 0) close(epoll);
    if (bell >= 0) close(bell);
    return -error;
  }
  w.bell = bell;
  return 0;
}

}  // namespace

int64_t watchOpen(int64_t pid, WatchGone gone, void* context) {
  if (pid < 1 || pid > INT32_MAX) return -EINVAL;
  Watcher& w = watcher;
  const Guard guard(w.mutex);
  const int started = start(w);
  if (started < 0) return started;
  if (w.count == watchesMax) return -EMFILE;
  Watch watch = {};
  watch.pid = static_cast<pid_t>(pid);
  watch.gone = gone;
  watch.context = context;
  watch.id = w.lastId = w.lastId == INT32_MAX ? 1 : w.lastId + 1;
  const bool tried = pidfdThere.load(std::memory_order_relaxed);
  watch.pidfd = tried ? static_cast<int>(syscall(SYS_pidfd_open, watch.pid, 0)) : -1;
  if (watch.pidfd >= 0) {
    struct epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<uint64_t>(watch.id);
    if (epoll_ctl(w.epoll, EPOLL_CTL_ADD, watch.pidfd, &event) != 0) {
      const int error = errno;
      close(watch.pidfd);
      return -error;
    }
    w.watches[w.count++] = watch;
    return watch.id;
  }
  // No such process, no pidfd on this kernel, or no descriptor left: the thread's first look tells.
  watch.startTime = tried && errno == ESRCH ? 0 : startTime(watch.pid);
  w.watches[w.count++] = watch;
  ++w.polled;
  const uint64_t ring = 1;
  if (write(w.bell, &ring, sizeof ring) < 0 && errno != EAGAIN) abort();  // EAGAIN: it is ringing already
  return watch.id;
}

int64_t watchClose(int32_t id) {
  Watcher& w = watcher;
  const Guard guard(w.mutex);
  for (size_t i = 0; i < w.count; ++i) {
    if (w.watches[i].id != id) continue;
    removeAt(w, i);
    return 0;
  }
  return -EBADF;
}

void watchCloseAll(void* context) {
  Watcher& w = watcher;
  const Guard guard(w.mutex);
  for (size_t i = w.count; i-- > 0;) {
    if (w.watches[i].context == context) removeAt(w, i);
  }
}

int64_t watchCount() {
  Watcher& w = watcher;
  const Guard guard(w.mutex);
  return static_cast<int64_t>(w.count);
}

void pretendPidfd(bool there) { pidfdThere.store(there, std::memory_order_relaxed); }

}  // namespace vast_ost
