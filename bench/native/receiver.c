/*
 * receiver SOCKET: the other end of an arena's hand-over. Takes a frame with its descriptor, maps the arena, looks at one
 * byte of it, lets it go and answers with one byte; until the connection ends.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "timing.h"

static int receive(int from) {
  char frame[4096];
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec io = {frame, sizeof frame};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control.bytes};
  const ssize_t got = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
  check(got < 0, "receive");
  if (got == 0) exit(0);
  const struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  errno = EPROTO;
  check(part == NULL || part->cmsg_type != SCM_RIGHTS, "a frame without a descriptor");
  int passed;
  memcpy(&passed, CMSG_DATA(part), sizeof passed);
  return passed;
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
    fprintf(stderr, "usage: receiver SOCKET\n");
    return 2;
  }
  memcpy(address.sun_path, argv[1], strlen(argv[1]));
  const int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(to < 0 || connect(to, (struct sockaddr *)&address, sizeof address) != 0, argv[1]);
  for (;;) {
    const int arena = receive(to);
    struct stat about;
    check(fstat(arena, &about) != 0, "fstat");
    volatile unsigned char *memory = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, arena, 0);
    check(memory == MAP_FAILED, "mmap");
    const unsigned char first = memory[0];
    munmap((void *)memory, (size_t)about.st_size);
    close(arena);
    check(write(to, &first, 1) != 1, "answer");
  }
}
