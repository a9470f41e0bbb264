/*
 * submitter SOCKET CONNECTIONS BLOCKS WARM DATE: the plug-in's side of the protocol without a payload: CONNECTIONS images are
 * opened for write, full slots are submitted as their credits come and nobody copies a byte into them, each image is
 * completed. What engine and rings carry of themselves is left.
 *
 * The first WARM blocks of each image do not count. {"bytes", "blocks", "block_bytes", "seconds", "cpu_s": of this
 * process, "coordinator_cpu_s", "lanes_cpu_s": of the engine's main thread and of all its others,
 * "open_s", "close_s", "p50_us", "p90_us", "p99_us", "p999_us", "max_us": SUBMIT to SLOT_FREE}
 *
 * submitter SOCKET CONNECTIONS BLOCKS WARM DATE BLOCK_BYTES [cold]: the same images are read, and nobody copies a byte out;
 * with BLOCK_BYTES 0 they are written. `cold`: with each block as many bytes of this process's own memory are copied, so that
 * the engine finds caches and pace as they are where a host program copies, and its threads cost what they cost then.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../native/wire/wire.h"
#include "timing.h"

#define CONNECTIONS_MAX 256
#define LATENCIES_MAX (1u << 21)
#define LSU "bench"
#define SERVER "VastData:bench"

struct connection {
  int fd;
  uint64_t calls;
  uint32_t arena;
  uint64_t submitted, done, offset;
  double since[WIRE_SLOTS_MAX];
  uint32_t slot_bytes;
  size_t have;
  union {
    struct wire_header header;
    unsigned char bytes[WIRE_FRAME_MAX];
  } frame;
};

static struct connection connections[CONNECTIONS_MAX];
static double latencies[LATENCIES_MAX];
static size_t latency_count;
static uint64_t blocks, warm, counted_bytes, counted_blocks;
static uint32_t block_bytes, engine_pid;
static bool counting, reading;
static unsigned char *own_memory; /* NULL: nothing is copied */

static void fail(const char *what) {
  fprintf(stderr, "submitter: %s\n", what);
  exit(1);
}

/* ---- frames ----------------------------------------------------------------------------------------------------------- */

static void send_all(int fd, const void *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    const ssize_t count = send(fd, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    check(count <= 0, "send");
    sent += (size_t)count;
  }
}

static void send_frame(struct connection *c, uint16_t type, uint64_t call_id, void *frame, size_t size) {
  *(struct wire_header *)frame = (struct wire_header){(uint32_t)size, type, 0, call_id};
  send_all(c->fd, frame, size);
}

/* The next whole frame, or NULL: none has come yet and `wait` is false. A descriptor that comes with it is closed. */
static const struct wire_header *receive(struct connection *c, bool wait) {
  for (;;) {
    const size_t head = sizeof c->frame.header;
    const size_t want = c->have < head ? head : c->frame.header.length;
    if (want < head || want > sizeof c->frame) fail("a frame of a wrong length");
    if (c->have >= head && c->have == want) {
      c->have = 0;
      return &c->frame.header;
    }
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec io = {c->frame.bytes + c->have, want - c->have};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    const ssize_t got = recvmsg(c->fd, &message, (wait ? 0 : MSG_DONTWAIT) | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && !wait && (errno == EAGAIN || errno == EWOULDBLOCK)) return NULL;
    check(got < 0, "receive");
    if (got == 0) fail("the engine ended the connection; its log says why");
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    if (part && part->cmsg_type == SCM_RIGHTS) {
      int passed;
      memcpy(&passed, CMSG_DATA(part), sizeof passed);
      close(passed); /* nobody maps it: no byte is touched */
    }
    c->have += (size_t)got;
  }
}

/* ---- what comes ------------------------------------------------------------------------------------------------------- */

#define OWN_BYTES ((size_t)64 << 20)
#define PIECE ((size_t)256 << 10)

static void copy_own(uint32_t bytes) {
  static size_t at;
  if (!own_memory) return;
  for (uint32_t done = 0; done < bytes; done += PIECE, at = (at + PIECE) % OWN_BYTES)
    memcpy(own_memory + OWN_BYTES + at, own_memory + at, PIECE);
}

static void submit(struct connection *c, uint32_t slot) {
  copy_own(c->slot_bytes);
  struct wire_submit frame = {.arena = c->arena, .slot = slot, .length = c->slot_bytes, .offset = c->offset,
                              .sequence = ++c->submitted};
  c->offset += c->slot_bytes;
  c->since[slot] = now();
  send_frame(c, WIRE_SUBMIT, 0, &frame, sizeof frame);
}

static void completed(struct connection *c, uint32_t slot, uint32_t bytes) {
  c->done++;
  if (!counting) return;
  counted_blocks++;
  counted_bytes += bytes;
  if (!reading && latency_count < LATENCIES_MAX) latencies[latency_count++] = now() - c->since[slot];
}

static void take_slot_free(struct connection *c, const struct wire_slot_free *frame) {
  if (frame->slot >= WIRE_SLOTS_MAX) fail("a slot that is not there");
  if (frame->sequence > 0) completed(c, frame->slot, c->slot_bytes);
  if (c->submitted < blocks) submit(c, frame->slot);
}

static void take_arena(struct connection *c, const struct wire_arena *frame) {
  const uint32_t before = c->arena;
  c->arena = frame->arena;
  c->slot_bytes = frame->slot_bytes;
  block_bytes = frame->slot_bytes;
  if (before == 0) return;
  struct wire_arena_dropped dropped = {.arena = before};
  send_frame(c, WIRE_ARENA_DROPPED, 0, &dropped, sizeof dropped);
}

static void read_next(struct connection *c) {
  struct wire_read frame = {.offset = c->offset, .length = block_bytes, .generation = 1};
  send_frame(c, WIRE_READ, ++c->calls, &frame, sizeof frame);
}

static void take_data(struct connection *c, const struct wire_data *frame) {
  struct wire_slot_done done = {.arena = frame->arena, .slot = frame->slot, .generation = frame->generation};
  if (frame->offset != c->offset) fail("data that do not follow");
  c->offset += frame->length;
  copy_own(frame->length);
  completed(c, 0, frame->length);
  send_frame(c, WIRE_SLOT_DONE, 0, &done, sizeof done);
}

static const struct wire_reply *reply_of(const struct wire_header *header) {
  const struct wire_reply *reply = (const struct wire_reply *)header;
  if (header->type != WIRE_REPLY) fail("another frame than a reply");
  return reply;
}

/* Takes one frame; true: it was a reply. */
static bool take(struct connection *c, const struct wire_header *header) {
  switch (header->type) {
    case WIRE_ARENA: take_arena(c, (const struct wire_arena *)header); return false;
    case WIRE_SLOT_FREE: take_slot_free(c, (const struct wire_slot_free *)header); return false;
    case WIRE_DATA: take_data(c, (const struct wire_data *)header); return false;
    case WIRE_STILL_WORKING: return false;
    case WIRE_REPLY: return true;
    default: fail("a frame that belongs to no writer or reader"); return false;
  }
}

static const struct wire_reply *call(struct connection *c, uint16_t type, void *frame, size_t size, uint32_t may_be) {
  send_frame(c, type, ++c->calls, frame, size);
  const struct wire_header *header = receive(c, true);
  while (!take(c, header)) header = receive(c, true);
  const struct wire_reply *reply = reply_of(header);
  if (reply->status == WIRE_OK || reply->status == may_be) return reply;
  fprintf(stderr, "submitter: status %u: %.*s\n", reply->status, (int)reply->text_length, (const char *)(reply + 1));
  exit(1);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static void connect_to(struct connection *c, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fail("the socket's path is too long");
  memcpy(address.sun_path, path, strlen(path));
  c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0, "connect");
  struct wire_hello hello = {.magic = WIRE_MAGIC, .major = WIRE_MAJOR, .minor = WIRE_MINOR, .pid = (uint32_t)getpid(),
                             .job = "submitter", .server = SERVER};
  const struct wire_reply *reply = call(c, WIRE_HELLO, &hello, sizeof hello, WIRE_OK);
  const size_t body = (sizeof *reply + reply->text_length + 7) & ~(size_t)7;
  engine_pid = ((const struct wire_hello_ok *)((const char *)reply + body))->engine_pid;
}

static void name_image(struct wire_image_def *def, int i, uint64_t date) {
  memset(def, 0, sizeof *def);
  snprintf(def->basename, sizeof def->basename, "submitted_S%d", i);
  def->date = date;
}

static void make_lsu(const char *path) {
  static struct connection control;
  connect_to(&control, path);
  struct wire_lsu lsu = {.lsu = LSU};
  call(&control, WIRE_LSU_CREATE, &lsu, sizeof lsu, WIRE_EEXIST);
  close(control.fd);
}

static void open_image(struct connection *c, int i, uint64_t date) {
  struct wire_image_create create = {.lsu = LSU};
  struct wire_image_open open = {.lsu = LSU, .mode = WIRE_MODE_READ};
  name_image(&create.def, i, date);
  open.def = create.def;
  const double moment = now();
  memcpy(create.token, &moment, sizeof moment);
  create.token[WIRE_TOKEN_BYTES - 1] = (uint8_t)i;
  if (reading) call(c, WIRE_IMAGE_OPEN, &open, sizeof open, WIRE_OK);
  else call(c, WIRE_IMAGE_CREATE, &create, sizeof create, WIRE_OK);
}

/* ---- measuring -------------------------------------------------------------------------------------------------------- */

/* Seconds on a processor: of the engine's main thread, and of all others, ended ones included. */
static void engine_cpu(double *coordinator, double *lanes) {
  char path[64], line[128];
  snprintf(path, sizeof path, "/proc/%u/task/%u/schedstat", engine_pid, engine_pid);
  FILE *file = fopen(path, "r");
  check(file == NULL || fgets(line, sizeof line, file) == NULL, path);
  fclose(file);
  *coordinator = (double)strtoull(line, NULL, 10) / 1e9;
  /* By the clock: the kernel's stat counts in steps of 10 ms, in which hundreds of orders fit. */
  clockid_t clock;
  struct timespec all;
  errno = clock_getcpuclockid((pid_t)engine_pid, &clock);
  check(errno != 0 || clock_gettime(clock, &all) != 0, "the clock of the engine");
  *lanes = (double)all.tv_sec + (double)all.tv_nsec / 1e9 - *coordinator;
}

static double own_cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double percentile(double share) {
  if (latency_count == 0) return 0;
  const size_t at = (size_t)(share * (double)latency_count);
  return latencies[at < latency_count ? at : latency_count - 1] * 1e6;
}

/* A reply while images are read ends one READ: the next one goes out at once. */
static void turn(struct connection *c, uint64_t end) {
  for (const struct wire_header *header = receive(c, false); header; header = receive(c, false)) {
    const bool is_reply = take(c, header);
    if (!is_reply && own_memory) return; /* credits come while it copies: others, and the clock, get their turn */
    if (!is_reply) continue;
    const struct wire_reply *reply = reply_of(header);
    if (!reading || reply->status != WIRE_OK) fail("a call failed; the engine's log says why");
    if (c->offset < end) read_next(c);
  }
}

int main(int argc, char **argv) {
  const int count = argc >= 6 && argc <= 8 ? atoi(argv[2]) : 0;
  if (count < 1 || count > CONNECTIONS_MAX || (argc == 8 && strcmp(argv[7], "cold") != 0)) {
    fprintf(stderr, "usage: submitter SOCKET CONNECTIONS BLOCKS WARM DATE [BLOCK_BYTES [cold]]\n");
    return 2;
  }
  blocks = strtoull(argv[3], NULL, 10);
  warm = strtoull(argv[4], NULL, 10);
  if (blocks <= warm) fail("BLOCKS must be more than WARM");
  if (argc >= 7) block_bytes = (uint32_t)strtoul(argv[6], NULL, 10);
  reading = block_bytes > 0;
  if (argc == 8) {
    own_memory = malloc(2 * OWN_BYTES);
    check(own_memory == NULL, "memory");
    memset(own_memory, 1, 2 * OWN_BYTES);
  }
  const uint64_t end = blocks * block_bytes; /* of a reader */
  make_lsu(argv[1]);
  const double opened = now();
  static struct pollfd polls[CONNECTIONS_MAX];
  for (int i = 0; i < count; i++) {
    connect_to(&connections[i], argv[1]);
    open_image(&connections[i], i + 1, strtoull(argv[5], NULL, 10));
    polls[i] = (struct pollfd){connections[i].fd, POLLIN, 0};
    if (reading) read_next(&connections[i]);
  }
  double begin = now(), own = 0, coordinator = 0, lanes = 0;
  const double open_s = begin - opened;
  for (int left = count; left > 0;) {
    check(poll(polls, (nfds_t)count, 60000) < 0 && errno != EINTR, "poll");
    uint64_t warmed = 0;
    left = 0;
    for (int i = 0; i < count; i++) {
      struct connection *c = &connections[i];
      if (polls[i].revents) turn(c, end);
      warmed += c->done;
      left += reading ? c->offset < end : c->done < blocks;
    }
    if (!counting && left > 0 && warmed >= warm * (uint64_t)count) {
      counting = true;
      engine_cpu(&coordinator, &lanes);
      own = own_cpu();
      begin = now();
    }
  }
  const double done = now();
  own = own_cpu() - own;
  double coordinator_end, lanes_end;
  engine_cpu(&coordinator_end, &lanes_end);
  for (int i = 0; i < count; i++) {
    struct connection *c = &connections[i];
    struct wire_close frame = {.sequence = c->submitted, .flags = reading ? 0 : WIRE_CLOSE_COMPLETE};
    call(c, WIRE_CLOSE, &frame, sizeof frame, WIRE_OK);
    close(c->fd);
  }
  const double close_s = now() - done;
  qsort(latencies, latency_count, sizeof *latencies, rising);
  printf("{\"bytes\":%" PRIu64 ",\"blocks\":%" PRIu64 ",\"block_bytes\":%u,\"seconds\":%.6f,\"cpu_s\":%.6f,"
         "\"coordinator_cpu_s\":%.6f,\"lanes_cpu_s\":%.6f,\"open_s\":%.6f,\"close_s\":%.6f,\"p50_us\":%.2f,"
         "\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f}\n",
         counted_bytes, counted_blocks, block_bytes, done - begin, own, coordinator_end - coordinator,
         lanes_end - lanes, open_s, close_s, percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999),
         percentile(1));
  return 0;
}
