/*
 * fuzz-frames.c: any bytes from the engine, to each kind of connection. The host program's side does the same calls each
 * time; whatever comes, they end with a known status, touch no foreign memory and leak nothing.
 *
 *   byte 0: kind of connection (0 server, 1 writer, 2 reader, modulo 3); 0x80: the rest is sent as it is. Else the rest
 *   is a row of frames {type, length (2 bytes), payload}, whose headers are made right, so that their contents matter.
 *   An ARENA gets a descriptor with it, unless 0x40 is set.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../codes.h"
#include "../frame-io.h"
#include "../image.h"
#include "../server.h"
#include "fuzz.h"

#define ARENA_BYTES (64 * 1024)
#define IMAGE_BYTES (1u << 16)

static unsigned char buffer[64 * 1024];

static int memory(void) {
  static int fd = -1;
  if (fd < 0) {
    fd = (int)syscall(SYS_memfd_create, "arena", 3u);
    MUST(fd >= 0 && ftruncate(fd, ARENA_BYTES) == 0 && fcntl(fd, 1033, 7) == 0); /* F_ADD_SEALS */
  }
  return fd;
}

static void send_frame(int fd, const void *frame, size_t length, bool with_memory) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec io = {(void *)(uintptr_t)frame, length};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
  int descriptor = memory();
  if (with_memory) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
  }
  if (length > 0) (void)sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT); /* what does not fit is cut off */
}

static void send_structured(int fd, const uint8_t *bytes, size_t length, bool pass) {
  static _Alignas(8) unsigned char frame[WIRE_FRAME_MAX];
  uint64_t call_id = 0;
  while (length >= 3) {
    size_t payload = bytes[1] | (size_t)bytes[2] << 8;
    struct wire_header header = {0, bytes[0], 0, 0};
    bytes += 3;
    length -= 3;
    if (payload > length) payload = length;
    if (header.type == WIRE_REPLY) header.call_id = ++call_id;
    header.length = (uint32_t)(sizeof header + payload);
    if (header.length > WIRE_FRAME_MAX) return;
    memcpy(frame, &header, sizeof header);
    memcpy(frame + sizeof header, bytes, payload);
    send_frame(fd, frame, header.length, pass && header.type == WIRE_ARENA);
    bytes += payload;
    length -= payload;
  }
}

static struct stsp__link *new_link(sts_session_t *session, const uint8_t *bytes, size_t length) {
  int pair[2];
  int space = 1 << 20;
  struct stsp__link *link = calloc(1, sizeof *link);
  MUST(link && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &space, sizeof space);
  if (bytes[0] & 0x80) send_frame(pair[1], bytes + 1, length - 1, !(bytes[0] & 0x40));
  else send_structured(pair[1], bytes + 1, length - 1, !(bytes[0] & 0x40));
  close(pair[1]);
  link->session = session;
  link->fd = pair[0];
  link->greeted = true;
  link->pid = getpid();
  link->passed[0] = -1;
  link->action = "a call";
  link->advice = "none";
  return link;
}

/* ---- the host program's side -------------------------------------------------------------------------------------- */

static void known(const sts_session_t *session, int status) {
  MUST(stsp__status_known((uint32_t)status));
  MUST(status == STS_EOK || (session->error[0] && stsp__terminated(session->error, sizeof session->error)));
}

static void use_server(sts_session_t *session, struct stsp__link *link) {
  struct stsp__server *server = calloc(1, sizeof *server);
  static sts_server_info_t info;
  static sts_lsu_info_t lsu;
  static sts_image_def_t def = {.img_basename = "x"};
  struct stsp__list *list;
  char name[STS_MAX_LSUNAME];
  uint32_t method = 0;
  MUST(server != NULL);
  server->link = link;
  known(session, stsp__server_prop(server, &info));
  known(session, stsp__lsu_prop(server, "lsu", &lsu));
  if (stsp__lsu_list_open(server, NULL, &list) == STS_EOK) {
    for (int i = 0; i < 300 && stsp__lsu_list_next(server, list, name) == STS_EOK; i++) MUST(strnlen(name, 256) < 256);
    known(session, stsp__list_close(server, list));
  }
  if (stsp__image_list_open(server, NULL, "lsu", 0, &list) == STS_EOK) {
    for (int i = 0; i < 50 && stsp__image_list_next(server, list, &def) == STS_EOK; i++)
      MUST(strnlen(def.img_basename, 1024) < 1024 && def.img_opaque_length <= STS_MAX_OPAQUE);
    known(session, stsp__list_close(server, list));
  }
  memset(&def, 0, sizeof def);
  def.img_basename[0] = 'x';
  known(session, stsp__image_copy(server, "a", &def, "b", &def, &method));
  stsp__server_close(server);
}

static const char *writer_sink(void *owner, const struct wire_header *frame, int *fd) {
  return stsp__writer_sink(owner, frame, fd);
}
static const char *reader_sink(void *owner, const struct wire_header *frame, int *fd) {
  return stsp__reader_sink(owner, frame, fd);
}

static struct stsp__image *new_image(sts_session_t *session, struct stsp__link *link, bool writable) {
  struct stsp__image *image = calloc(1, sizeof *image);
  MUST(image != NULL);
  image->link = link;
  image->session = session;
  image->writable = writable;
  image->opened.size = IMAGE_BYTES;
  link->sink = writable ? writer_sink : reader_sink;
  link->owner = image;
  return image;
}

static void use_writer(sts_session_t *session, struct stsp__link *link) {
  struct stsp__image *image = new_image(session, link, true);
  static sts_image_info_t info;
  uint32_t got;
  int failed = STS_EOK;
  for (unsigned i = 0; i < 6; i++) {
    int status = stsp__image_write(image, buffer, 512u << (i * 2 % 7), i == 3 ? 7680 : i * 40960u);
    known(session, status);
    MUST(failed == STS_EOK || status == failed); /* the first failure stays */
    failed = status;
  }
  known(session, stsp__image_prop(image, &info));
  known(session, stsp__image_meta_write(image, buffer, 100, 0));
  known(session, stsp__image_meta_read(image, buffer, 4096, 0, &got));
  int status = stsp__image_flush(image);
  MUST(failed == STS_EOK || status == failed);
  bool poisoned = image->writer.failure != STS_EOK;
  status = stsp__image_close(image, true);
  known(session, status);
  MUST(!poisoned || status != STS_EOK);
}

static void use_reader(sts_session_t *session, struct stsp__link *link) {
  static const struct {
    uint64_t offset;
    uint32_t length;
  } reads[] = {{0, 512}, {512, 4096}, {4608, 30000}, {1000, 10}, {50000, 30000}, {IMAGE_BYTES, 9}, {0, 60000}};
  struct stsp__image *image = new_image(session, link, false);
  for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
    uint64_t got = 99;
    int status = stsp__image_read(image, buffer, reads[i].length, reads[i].offset, &got);
    uint64_t room = IMAGE_BYTES - reads[i].offset;
    known(session, status);
    MUST(got == (status != STS_EOK ? 0 : reads[i].length < room ? reads[i].length : room));
  }
  known(session, stsp__image_close(image, false));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  sts_session_t session = {.abi_version = STSP_ABI_VERSION};
  if (length == 0) return 0;
  int before = dup(memory());
  struct stsp__link *link = new_link(&session, bytes, length);
  switch (bytes[0] % 64 % 3) {
    case 0: use_server(&session, link); break;
    case 1: use_writer(&session, link); break;
    default: use_reader(&session, link); break;
  }
  close(before);
  int after = dup(memory());
  MUST(before == after); /* the lowest free descriptor is the same: none was leaked */
  close(after);
  return 0;
}
