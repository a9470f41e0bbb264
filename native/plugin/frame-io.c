/*
 * frame-io.c: the socket. A frame is read in two steps, header and rest, never beyond its end: so a descriptor that
 * comes in with the bytes belongs to this frame and to no other.
 */
#include "frame-io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PASSED_MAX 4 /* what does not fit is closed by the kernel */

void stsp__frame_drop_passed(struct stsp__link *link) {
  if (link->passed[0] >= 0) close(link->passed[0]);
  link->passed[0] = -1;
  link->passed_more = false;
}

static void keep_passed(struct stsp__link *link, struct msghdr *message) {
  if (message->msg_flags & MSG_CTRUNC) link->passed_more = true;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (link->passed[0] < 0) {
        link->passed[0] = fd;
      } else {
        link->passed_more = true;
        close(fd);
      }
    }
  }
}

enum stsp__received stsp__frame_receive(struct stsp__link *link) {
  const struct wire_header *header = (const struct wire_header *)link->frame;
  for (;;) {
    size_t want = sizeof *header;
    if (link->have >= sizeof *header) {
      want = header->length;
      if (want < sizeof *header || want > WIRE_FRAME_MAX || header->flags != 0) return STSP_WRONG;
      if (link->have == want) {
        link->have = 0;
        return STSP_FRAME;
      }
    }
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int))];
    } control;
    struct iovec io = {link->frame + link->have, want - link->have};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? STSP_NOTHING : STSP_ERROR;
    }
    if (message.msg_controllen) keep_passed(link, &message);
    if (got == 0) return STSP_END;
    link->have += (size_t)got;
  }
}

int stsp__frame_poll(int fd, short events, uint64_t until_ns) {
  for (;;) {
    uint64_t now = stsp__now();
    uint64_t left_ms = now < until_ns ? (until_ns - now + 999999) / 1000000 : 0;
    struct pollfd entry = {fd, events, 0};
    int ready = poll(&entry, 1, left_ms > 60000 ? 60000 : (int)left_ms);
    if (ready > 0) return 1; /* an error or the end shows at the next send or receive */
    if (ready < 0 && errno != EINTR) return -1;
    if (ready == 0 && stsp__now() >= until_ns) return 0;
  }
}

int stsp__frame_send(int fd, const void *head, size_t head_length, const void *tail, size_t tail_length) {
  size_t total = head_length + tail_length;
  size_t sent = 0;
  while (sent < total) {
    struct iovec io[2];
    size_t parts = 0;
    if (sent < head_length) io[parts++] = (struct iovec){(char *)(uintptr_t)head + sent, head_length - sent};
    size_t into = sent > head_length ? sent - head_length : 0;
    if (into < tail_length) io[parts++] = (struct iovec){(char *)(uintptr_t)tail + into, tail_length - into};
    struct msghdr message = {.msg_iov = io, .msg_iovlen = parts};
    ssize_t count = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += (size_t)count;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return errno;
    int ready = stsp__frame_poll(fd, POLLOUT, stsp__now() + STSP_SILENCE_MS * UINT64_C(1000000));
    if (ready < 0) return errno;
    if (ready == 0) return ETIMEDOUT;
  }
  return 0;
}
