#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif

/* ---- the engine's thread --------------------------------------------------------------------------------------------- */

int engine_listen(int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = run_path("engine.sock");
  memcpy(address.sun_path, path, strlen(path) + 1);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  CHECK_NUM(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  CHECK_NUM(listen(fd, backlog), 0);
  return fd;
}

static void *run(void *argument) {
  struct engine *engine = argument;
  engine->script(engine);
  return NULL;
}

void engine_start(struct engine *engine, void (*script)(struct engine *engine), const void *argument) {
  *engine = (struct engine){.listener = engine_listen(16), .script = script, .argument = argument};
  init_plugin(0);
  CHECK_NUM(pthread_create(&engine->thread, NULL, run, engine), 0);
}

/* Both ends have unmapped their arenas. */
static void expect_no_arena(void) {
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps)) CHECK(!contains(line, "memfd:arena"));
  fclose(maps);
}

void engine_join(struct engine *engine) {
  CHECK_NUM(pthread_join(engine->thread, NULL), 0);
  expect_no_arena();
  close(engine->listener);
  unlink(run_path("engine.sock"));
}

int fake_accept(struct engine *engine) {
  int fd = accept(engine->listener, NULL, NULL);
  CHECK(fd >= 0);
  CHECK_NUM(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
  return fd;
}

int fake_hello(struct engine *engine) {
  int fd = fake_accept(engine);
  struct wire_hello_ok body = {.major = WIRE_MAJOR, .minor = WIRE_MINOR, .engine_pid = 1};
  (void)fake_expect(fd, WIRE_HELLO);
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
  return fd;
}

/* ---- frames in ------------------------------------------------------------------------------------------------------- */

static _Thread_local _Alignas(8) unsigned char taken[WIRE_FRAME_MAX];

static bool take_bytes(int fd, unsigned char *out, size_t length) {
  while (length > 0) {
    ssize_t got = recv(fd, out, length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    length -= (size_t)got;
  }
  return true;
}

const struct wire_header *fake_take(int fd) {
  const struct wire_header *header = (const struct wire_header *)taken;
  if (!take_bytes(fd, taken, sizeof *header)) return NULL;
  CHECK(header->length >= sizeof *header && header->length <= WIRE_FRAME_MAX && header->flags == 0);
  return take_bytes(fd, taken + sizeof *header, header->length - sizeof *header) ? header : NULL;
}

/* POPULATE comes when half of the first slot is filled: with slots as small as here in most tests, and of no interest. */
static _Thread_local unsigned populates;

unsigned fake_populates(void) { return populates; }

static const struct wire_header *take_but_populate(int fd, uint16_t type) {
  const struct wire_header *header = fake_take(fd);
  for (; header && header->type == WIRE_POPULATE && type != WIRE_POPULATE; header = fake_take(fd)) populates++;
  return header;
}

const void *fake_expect(int fd, uint16_t type) {
  const struct wire_header *header = take_but_populate(fd, type);
  CHECK(header != NULL);
  CHECK_NUM(header->type, type);
  return header;
}

void fake_expect_end(int fd) {
  const struct wire_header *header = take_but_populate(fd, 0);
  if (header) fail_at(__FILE__, __LINE__, "a frame of type %u in place of the end", (unsigned)header->type);
  close(fd);
}

void fake_skip_to_end(int fd) {
  while (fake_take(fd)) continue;
  close(fd);
}

/* ---- frames out ------------------------------------------------------------------------------------------------------ */

void fake_send(int fd, const void *bytes, size_t length) {
  const unsigned char *at = bytes;
  while (length > 0) {
    ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return; /* the plug-in hung up, which is what some tests want */
    at += sent;
    length -= (size_t)sent;
  }
}

void fake_reply_to(int fd, uint64_t call_id, uint32_t status, const char *text, const void *body, size_t body_length) {
  struct {
    struct wire_reply reply;
    unsigned char rest[WIRE_FRAME_MAX];
  } frame;
  size_t text_length = strlen(text);
  size_t body_at = (text_length + 7) & ~(size_t)7;
  memset(&frame, 0, sizeof frame.reply + body_at);
  memcpy(frame.rest, text, text_length);
  if (body_length) memcpy(frame.rest + body_at, body, body_length);
  size_t length = sizeof frame.reply + body_at + body_length;
  frame.reply = (struct wire_reply){{(uint32_t)length, WIRE_REPLY, 0, call_id}, status, 0, (uint32_t)text_length,
                                    (uint32_t)body_length};
  fake_send(fd, &frame, length);
}

void fake_reply(int fd, uint32_t status, const char *text, const void *body, size_t body_length) {
  fake_reply_to(fd, ((const struct wire_header *)taken)->call_id, status, text, body, body_length);
}

void fake_still_working(int fd) {
  struct wire_header frame = {sizeof frame, WIRE_STILL_WORKING, 0, 0};
  fake_send(fd, &frame, sizeof frame);
}

void fake_failed(int fd, uint32_t status, const char *text) {
  struct {
    struct wire_failed failed;
    char text[WIRE_TEXT_MAX];
  } frame;
  size_t length = strlen(text);
  memcpy(frame.text, text, length);
  frame.failed = (struct wire_failed){{(uint32_t)(sizeof frame.failed + length), WIRE_FAILED, 0, 0}, status, 0,
                                      (uint32_t)length, 0};
  fake_send(fd, &frame, sizeof frame.failed + length);
}

void fake_credit(int fd, uint32_t arena, uint32_t slot, uint64_t sequence) {
  struct wire_slot_free frame = {{sizeof frame, WIRE_SLOT_FREE, 0, 0}, arena, slot, sequence};
  fake_send(fd, &frame, sizeof frame);
}

void fake_data(int fd, uint32_t arena, uint32_t slot, uint32_t slot_offset, uint32_t length, uint64_t offset,
               uint32_t generation) {
  struct wire_data frame = {{sizeof frame, WIRE_DATA, 0, 0}, arena, slot, slot_offset, length, offset, generation, 0};
  fake_send(fd, &frame, sizeof frame);
}

/* ---- arenas ---------------------------------------------------------------------------------------------------------- */

int fake_memory(size_t bytes, bool sealed) {
  int fd = (int)syscall(SYS_memfd_create, "arena", 3u); /* CLOEXEC, ALLOW_SEALING */
  CHECK(fd >= 0);
  CHECK_NUM(ftruncate(fd, (off_t)bytes), 0);
  if (sealed) CHECK_NUM(fcntl(fd, F_ADD_SEALS, 7), 0); /* SEAL, SHRINK, GROW */
  return fd;
}

void fake_send_with(int fd, const void *bytes, size_t length, const int *descriptors, size_t count) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(16 * sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec io = {(void *)(uintptr_t)bytes, length};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.bytes,
                           .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(part), descriptors, count * sizeof(int));
  if (count == 0) message.msg_controllen = 0;
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
}

unsigned char *fake_arena(int fd, uint32_t arena, uint32_t slots, uint32_t slot_bytes) {
  return fake_arena_from(fd, arena, slots, slot_bytes, 0);
}

unsigned char *fake_arena_from(int fd, uint32_t arena, uint32_t slots, uint32_t slot_bytes, uint32_t first_bytes) {
  size_t bytes = (size_t)slots * slot_bytes;
  int memory = fake_memory(bytes, true);
  unsigned char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  CHECK(base != MAP_FAILED);
  struct wire_arena frame = {{sizeof frame, WIRE_ARENA, 0, 0}, arena, slots, slot_bytes, first_bytes};
  fake_send_with(fd, &frame, sizeof frame, &memory, 1);
  close(memory);
  return base;
}

void fake_arena_end(unsigned char *memory, uint32_t slots, uint32_t slot_bytes) {
  CHECK_NUM(munmap(memory, (size_t)slots * slot_bytes), 0);
}

/* ---- images ---------------------------------------------------------------------------------------------------------- */

void fake_opened(int fd, uint16_t type, uint64_t size) {
  struct wire_image_opened body = {.size = size, .durable_size = size, .state = WIRE_II_PENDING};
  (void)fake_expect(fd, type);
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
}

int fake_image(struct engine *engine, uint16_t type, uint64_t size) {
  int fd = fake_hello(engine);
  fake_opened(fd, type, size);
  return fd;
}

void fake_closed(int fd, uint32_t flags) {
  struct wire_closed body = {.state = flags ? WIRE_II_CREATED : WIRE_II_PENDING};
  const struct wire_close *frame = fake_expect(fd, WIRE_CLOSE);
  CHECK_NUM(frame->flags, flags);
  fake_reply(fd, WIRE_OK, "", &body, sizeof body);
  fake_expect_end(fd);
}

sts_server_t *open_server(sts_session_t *out) {
  sts_server_t *server = NULL;
  int status = stsp_open_server(out, "VastData:test", &server);
  if (status != STS_EOK) fail_at(__FILE__, __LINE__, "open_server is %d: %s", status, out->error);
  return server;
}

sts_image_t *create_image(sts_session_t *out, sts_server_t *server, const char *name) {
  sts_image_t *image = NULL;
  sts_image_def_t def = def_named(name);
  int status = stsp_create_image(server, "lsu", &def, 0, &image);
  if (status != STS_EOK) fail_at(__FILE__, __LINE__, "create_image is %d: %s", status, out->error);
  return image;
}
