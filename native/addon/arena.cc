// arena.cc: making, populating, passing and freeing arenas.
#include "arena.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "../kernel/names.h"
#include "syscalls.h"
#include "thread.h"

namespace vast_ost {

namespace {

constexpr size_t pageBytes = 4096;  // granularity of touching: right, if slow, where pages are larger

/** Populating and freeing hold the lock of the address space: other threads' mmap waits for one stride at most. */
constexpr size_t strideBytes = size_t{4} << 20;

/** What a page-table entry of the next level up maps, on x86-64 and on arm64 with pages of 4 KiB. Else it is never used. */
constexpr size_t hugeBytes = size_t{2} << 20;

std::atomic<bool> populateThere{true};
std::atomic<bool> collapseThere{true};

Table<Arena, 12> arenas;

size_t least(size_t a, size_t b) { return a < b ? a : b; }

int makeMemfd() {
  // Kernels from 6.3 on complain in their log about a memfd that may be executable; older ones refuse the flag.
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = memfd_create("vast-ost-arena", flags | MFD_NOEXEC_SEAL);
  return fd >= 0 || errno != EINVAL ? fd : memfd_create("vast-ost-arena", flags);
}

/** Writes to each page without changing it: the client may be copying into the slot at this moment. */
void touch(uint8_t* from, size_t length) {
  for (size_t at = 0; at < length; at += pageBytes) {
    uint8_t seen = __atomic_load_n(from + at, __ATOMIC_RELAXED);
    // A failed exchange means that somebody else wrote: then the page is there as well.
    (void)__atomic_compare_exchange_n(from + at, &seen, seen, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  }
}

/** True when nobody has touched the huge page's place yet. */
bool isHole(int fd, size_t from) {
  const off_t data = lseek(fd, static_cast<off_t>(from), SEEK_DATA);
  return data < 0 ? errno == ENXIO : static_cast<size_t>(data) >= from + hugeBytes;
}

/** Like mmap, but at a multiple of a huge page, so that pages that are huge are mapped as such. */
void* mapAligned(size_t bytes, int fd) {
  const size_t room = bytes + hugeBytes;
  void* reserved = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  auto* begin = static_cast<uint8_t*>(reserved);
  auto* at = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(begin) + hugeBytes - 1) / hugeBytes * hugeBytes);
  void* memory = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  if (memory == MAP_FAILED) {
    const int error = errno;
    munmap(reserved, room);
    errno = error;
    return MAP_FAILED;
  }
  if (at > begin) munmap(begin, static_cast<size_t>(at - begin));
  if (at + bytes < begin + room) munmap(at + bytes, static_cast<size_t>(begin + room - (at + bytes)));
  return memory;
}

/** What is left of an arena that nobody uses any more. */
struct Memory {
  int fd;
  uint8_t* from;
  size_t bytes;
};

/** Freeing costs 80 µs a MiB: above this a thread of its own does it, for the caller is often the coordinator. */
constexpr size_t freeHereBytes = size_t{4} << 20;

void* freeMemory(void* argument) {
  auto* memory = static_cast<Memory*>(argument);
  if (memory->from != nullptr) {
    // The pages leave stride by stride first: munmap of all at once would keep out every other thread's mmap for long.
    for (size_t at = 0; at < memory->bytes; at += strideBytes) {
      (void)madvise(memory->from + at, least(memory->bytes - at, strideBytes), MADV_DONTNEED);
    }
    munmap(memory->from, memory->bytes);
  }
  if (memory->fd >= 0) close(memory->fd);
  delete memory;
  return nullptr;
}

}  // namespace

int Arena::destroy(Arena* arena) {
  delete[] arena->hugeTried;
  auto* memory = new Memory{arena->fd, arena->memory, arena->mappedBytes};
  delete arena;
  if (memory->bytes <= freeHereBytes || startThread(freeMemory, memory) != 0) freeMemory(memory);
  return 0;
}

Ref<Arena> getArena(int32_t id) { return arenas.get(id); }

/*
 * One touched page each is enough: the kernel clears the rest at 12 GB/s, where 4 KiB by 4 KiB it is 2 GB/s, and the
 * client's first touch costs one fault instead of 512. Each place is tried once, and a run of them in one call, because
 * each call begins by emptying what all processors hold back.
 */
void Arena::makeHuge(uint64_t offset, uint64_t length) {
  if (!collapseThere.load(std::memory_order_relaxed)) return;
  const size_t first = (offset + hugeBytes - 1) / hugeBytes;
  const size_t end = (offset + length) / hugeBytes;
  size_t run = 0;
  for (size_t i = first; i <= end; ++i) {
    const uint64_t bit = uint64_t{1} << (i % 64);
    const bool fresh = i < end && (hugeTried[i / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
    // What the client has touched by now would have to be copied into its huge page.
    if (fresh && isHole(fd, i * hugeBytes)) {
      touch(memory + i * hugeBytes, 1);
      ++run;
      continue;
    }
    if (run == 0) continue;
    uint8_t* from = memory + (i - run) * hugeBytes;
    const size_t count = run * hugeBytes;
    run = 0;
    const int64_t result = restarted([&] { return madvise(from, count, MADV_COLLAPSE); });
    if (result == -EINVAL) collapseThere.store(false, std::memory_order_relaxed);
  }
}

int64_t arenaOpen(uint64_t bytes) {
  constexpr uint64_t bytesMax = uint64_t{1} << 40;
  if (bytes == 0 || bytes > bytesMax) return -EINVAL;
  auto* arena = new Arena();
  const auto fail = [arena](int error) {
    (void)release(arena);
    return -error;
  };
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  arena->bytes = bytes;
  arena->mappedBytes = (bytes + page - 1) / page * page;
  arena->fd = makeMemfd();
  if (arena->fd < 0) return fail(errno);
  if (ftruncate(arena->fd, static_cast<off_t>(arena->mappedBytes)) != 0) return fail(errno);
  if (fcntl(arena->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return fail(errno);
  void* memory = mapAligned(arena->mappedBytes, arena->fd);
  if (memory == MAP_FAILED) return fail(errno);
  arena->memory = static_cast<uint8_t*>(memory);
  arena->hugeTried = new std::atomic<uint64_t>[arena->mappedBytes / hugeBytes / 64 + 1]();
  // A forked child must not keep gigabytes alive, and a core dump must not carry images.
  if (madvise(memory, arena->mappedBytes, MADV_DONTFORK) != 0) return fail(errno);
  if (madvise(memory, arena->mappedBytes, MADV_DONTDUMP) != 0) return fail(errno);
  const int32_t id = arenas.put(arena);
  return id < 0 ? fail(-id) : id;
}

int64_t arenaPopulate(int32_t arena, uint64_t offset, uint64_t length) {
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (!a->holds(offset, length)) return -EFAULT;
  if (length == 0) return 0;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t from = offset / page * page;
  const size_t end = (offset + length + page - 1) / page * page;
  a->makeHuge(offset, length);
  bool populate = populateThere.load(std::memory_order_relaxed);
  for (size_t at = from; at < end; at += strideBytes) {
    const size_t count = least(end - at, strideBytes);
    int64_t result = -EINVAL;
    if (populate) result = restarted([&] { return madvise(a->memory + at, count, MADV_POPULATE_WRITE); });
    if (result < 0 && result != -EINVAL) return result;
    if (result == -EINVAL) {
      populate = false;
      touch(a->memory + at, count);
    }
  }
  return 0;
}

int64_t arenaMakeHuge(int32_t arena, uint64_t offset, uint64_t length) {
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (!a->holds(offset, length)) return -EFAULT;
  a->makeHuge(offset, length);
  return 0;
}

int64_t arenaSend(int socket, const uint8_t* frame, size_t length, int32_t arena) {
  // Long enough for any client that lives; a frame cut in two is only possible under memory pressure.
  constexpr int restWaitMs = 1000;
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (length == 0) return -EINVAL;
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  struct iovec vector = {const_cast<uint8_t*>(frame), length};
  struct msghdr message = {};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &a->fd, sizeof(int));

  const int64_t first = restarted([&] { return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
  if (first < 0) return first;
  size_t sent = static_cast<size_t>(first);
  while (sent < length) {  // the descriptor went with the first byte
    const int64_t more =
        restarted([&] { return send(socket, frame + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (more == -EAGAIN) {
      // Half a frame is on its way, so −EAGAIN ("nothing was sent") would be a lie.
      struct pollfd wait = {socket, POLLOUT, 0};
      if (poll(&wait, 1, restWaitMs) != 1) return -EPIPE;
      continue;
    }
    if (more <= 0) return more == 0 ? -EPIPE : more;
    sent += static_cast<size_t>(more);
  }
  return static_cast<int64_t>(sent);
}

int64_t arenaClose(int32_t arena) { return arenas.close(arena); }

int64_t arenaRenew(int32_t arena) { return arenas.renew(arena); }

int64_t arenaPeek(int32_t arena, uint64_t offset, uint8_t* out, size_t length) {
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (!a->holds(offset, length)) return -EFAULT;
  if (length > 0) memcpy(out, a->memory + offset, length);
  return static_cast<int64_t>(length);
}

int64_t arenaPoke(int32_t arena, uint64_t offset, const uint8_t* bytes, size_t length) {
  const Ref<Arena> a = getArena(arena);
  if (!a) return -EBADF;
  if (!a->holds(offset, length)) return -EFAULT;
  if (length > 0) memcpy(a->memory + offset, bytes, length);
  return static_cast<int64_t>(length);
}

void pretendPopulate(bool populate, bool collapse) {
  populateThere.store(populate, std::memory_order_relaxed);
  collapseThere.store(collapse, std::memory_order_relaxed);
}

}  // namespace vast_ost
