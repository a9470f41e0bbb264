// test_passing.cc: what arrives at the other end of the socket: a frame, and a sealed memory that both see.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "../arena.h"
#include "check.h"
#include "faults.h"

using namespace vast_ost;

namespace harness {

namespace {

constexpr size_t arenaBytes = 64 * 1024;
constexpr size_t frameBytes = 32;

/** Reads one frame and every descriptor that comes with it; the descriptor, of which there must be one. */
int receive(int socket, uint8_t* frame) {
  int descriptor = -1;
  for (size_t got = 0; got < frameBytes;) {
    alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec vector = {frame + got, frameBytes - got};
    struct msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    TRUE(count > 0);
    const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr) {
      EQUAL(header->cmsg_type, SCM_RIGHTS);
      EQUAL(header->cmsg_len, CMSG_LEN(sizeof(int)));
      EQUAL(got, 0);
      memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    }
    got += static_cast<size_t>(count);
  }
  TRUE(descriptor >= 0);
  return descriptor;
}

void isTheArena(int descriptor, int32_t arena) {
  EQUAL(lseek(descriptor, 0, SEEK_END), arenaBytes);
  EQUAL(fcntl(descriptor, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  EQUAL(ftruncate(descriptor, 0), -1);
  EQUAL(errno, EPERM);
  auto* memory = static_cast<uint8_t*>(mmap(nullptr, arenaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0));
  TRUE(memory != MAP_FAILED);
  memory[12345] = 0x77;
  uint8_t seen = 0;
  EQUAL(arenaPeek(arena, 12345, &seen, 1), 1);
  EQUAL(seen, 0x77);
  munmap(memory, arenaBytes);
  close(descriptor);
}

}  // namespace

void testPassing(const Setting& setting) {
  const auto arena = static_cast<int32_t>(arenaOpen(arenaBytes));
  TRUE(arena > 0);
  uint8_t frame[frameBytes];
  uint8_t back[frameBytes];
  Random(setting.seed).fill(frame, sizeof frame);
  int ends[2];
  EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);

  EQUAL(arenaSend(ends[0], frame, sizeof frame, arena), sizeof frame);
  isTheArena(receive(ends[1], back), arena);
  EQUAL(memcmp(frame, back, sizeof frame), 0);

  // A frame cut in two: the descriptor goes with the first part, and only there.
  script(Call::sendmsg, {fails(EINTR), atMost(5)});
  script(Call::send, {fails(EINTR), atMost(3), fails(EAGAIN), passes()});
  EQUAL(arenaSend(ends[0], frame, sizeof frame, arena), sizeof frame);
  EQUAL(callsMade(Call::sendmsg), 2);
  EQUAL(callsMade(Call::send), 4);
  isTheArena(receive(ends[1], back), arena);
  EQUAL(memcmp(frame, back, sizeof frame), 0);

  // Nothing was sent: −EAGAIN. Half was sent and the rest cannot be: never −EAGAIN.
  script(Call::sendmsg, {fails(EAGAIN)});
  EQUAL(arenaSend(ends[0], frame, sizeof frame, arena), -EAGAIN);
  EQUAL(callsMade(Call::sendmsg), 1);
  script(Call::sendmsg, {atMost(5)});
  script(Call::send, {answers(0)});
  EQUAL(arenaSend(ends[0], frame, sizeof frame, arena), -EPIPE);
  script(Call::sendmsg, nullptr, 0);

  // A socket that is full takes no descriptor either.
  int64_t result;
  int sent = 0;
  do {
    result = arenaSend(ends[0], frame, sizeof frame, arena);
    ++sent;
  } while (result == static_cast<int64_t>(sizeof frame) && sent < 100000);
  TRUE(result == -EAGAIN || result == -ETOOMANYREFS);
  close(ends[1]);
  EQUAL(arenaSend(ends[0], frame, sizeof frame, arena), -EPIPE);
  close(ends[0]);
  EQUAL(arenaSend(ends[0], frame, sizeof frame, arena), -EBADF);
  EQUAL(arenaClose(arena), 0);
}

}  // namespace harness
