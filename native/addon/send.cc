// send.cc: a thread for each body under way; one that has nothing to send waits for the next.
#include "send.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <utility>

#include "arena.h"
#include "syscalls.h"
#include "thread.h"

namespace vast_ost {

namespace {

/** A socket rarely has room for more; and so much may be gone before anybody here knows. */
constexpr uint64_t callBytes = uint64_t{1} << 20;

struct Sending : Counted<Sending> {
  Sending(Ref<Arena>&& memory, const uint8_t* bytes) : arena(std::move(memory)), from(bytes) {}
  static int destroy(Sending* sending) {
    close(sending->socket);
    delete sending;
    return 0;
  }

  Ref<Arena> arena;
  const uint8_t* from;
  uint64_t length = 0;
  int socket = -1;
  /** Every byte belongs to a call that has begun. */
  std::atomic<bool> last{false};
  int idleMs = 0;
  uint64_t leastBytes = 0;
  int32_t id = 0;
  SendEnded ended = nullptr;
  void* context = nullptr;
  Sending* next = nullptr;
};

Table<Sending, sendsBits> sendings;

/** What waits for a thread. There are never more threads than there were sends at once. */
struct Queue {
  Mutex mutex;
  pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
  Sending* first = nullptr;
  Sending* last = nullptr;
  uint32_t waiting = 0;
  uint32_t idle = 0;
};

Queue queue;  // nothing to destroy: its threads end with the process

/** Not yet acknowledged by the other side. */
int queuedBytes(int socket) {
  int bytes = 0;
  return ioctl(socket, TIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

/** Until the socket takes more. 0 or −errno. It has room only when a third of its buffer is free: on a slow way that is long. */
int64_t waitForRoom(const Sending& s) {
  for (int queued = queuedBytes(s.socket);;) {
    struct pollfd wait = {s.socket, POLLOUT, 0};
    const int64_t ready = restarted([&] { return poll(&wait, 1, s.idleMs); });
    if (ready != 0) return ready < 0 ? ready : 0;  // what is wrong with the connection the next call tells
    const int now = queuedBytes(s.socket);
    // Whoever takes a byte now and then would hold the memory, and the image, for ever.
    if (now >= queued || static_cast<uint64_t>(queued - now) < s.leastBytes) return -ETIMEDOUT;
    queued = now;
  }
}

int64_t sendAll(Sending& s) {
  for (uint64_t done = 0; done < s.length;) {
    const uint64_t count = s.length - done < callBytes ? s.length - done : callBytes;
    if (done + count == s.length) s.last.store(true);
    const int64_t sent = restarted([&] { return send(s.socket, s.from + done, count, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (sent == -EAGAIN) {
      const int64_t waited = waitForRoom(s);
      if (waited < 0) return waited;
      continue;
    }
    if (sent <= 0) return sent == 0 ? -EPIPE : sent;
    done += static_cast<uint64_t>(sent);
  }
  return static_cast<int64_t>(s.length);
}

uint64_t threadCpuNs() {
  struct timespec used = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1000000000 + static_cast<uint64_t>(used.tv_nsec);
}

void carryOut(Sending* sending) {
  const uint64_t before = threadCpuNs();
  const int64_t result = sendAll(*sending);
  const SendEnded ended = sending->ended;
  void* const context = sending->context;
  (void)sendings.close(sending->id);
  (void)release(sending);
  ended(context, result, threadCpuNs() - before);
}

Sending* takeNext() {
  const Guard guard(queue.mutex);
  ++queue.idle;
  while (queue.first == nullptr) queue.mutex.wait(queue.filled);
  --queue.idle;
  --queue.waiting;
  Sending* sending = queue.first;
  queue.first = sending->next;
  return sending;
}

void* run(void* argument) {
  for (auto* sending = static_cast<Sending*>(argument);; sending = takeNext()) carryOut(sending);
  return nullptr;
}

/** Hands it to a thread that waits. False: there is none. */
bool handOver(Sending* sending) {
  const Guard guard(queue.mutex);
  if (queue.idle <= queue.waiting) return false;
  if (queue.first == nullptr) queue.first = sending;
  else queue.last->next = sending;
  queue.last = sending;
  ++queue.waiting;
  pthread_cond_signal(&queue.filled);
  return true;
}

}  // namespace

int64_t sendOpen(int socket, int32_t arena, uint64_t offset, uint64_t length, int idleMs, uint64_t leastBytes,
                 SendEnded ended, void* context) {
  Ref<Arena> memory = getArena(arena);
  if (!memory) return -EBADF;
  if (length == 0 || !memory->holds(offset, length)) return -EFAULT;
  // Its owner may close its own descriptor at any time: the number would then be another connection's.
  const int own = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return -errno;
  const uint8_t* from = memory->memory + offset;
  auto* sending = new Sending(std::move(memory), from);
  sending->length = length;
  sending->socket = own;
  sending->idleMs = idleMs;
  sending->leastBytes = leastBytes;
  sending->ended = ended;
  sending->context = context;
  const int32_t id = sendings.put(sending);
  if (id < 0) {
    (void)release(sending);
    return id;
  }
  sending->id = id;
  sending->references.fetch_add(1, std::memory_order_relaxed);  // the thread's
  if (handOver(sending)) return id;
  const int error = startThread(run, sending);
  if (error == 0) return id;
  (void)sendings.close(id);
  (void)release(sending);
  return -error;
}

int64_t sendStop(int32_t send) {
  const Ref<Sending> sending = sendings.get(send);
  if (!sending) return -EBADF;
  return shutdown(sending->socket, SHUT_RDWR) == 0 ? 0 : -errno;
}

int64_t sendIsLast(int32_t send) {
  const Ref<Sending> sending = sendings.get(send);
  return sending ? int64_t{sending->last.load()} : -EBADF;
}

int64_t sendCount() { return Sending::live.load(); }

}  // namespace vast_ost
