/* engine-link.c: connect, hello, calls and their replies, and what is said when the engine has gone. */
#include "engine-link.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "codes.h"
#include "frame-io.h"
#include "log.h"

#define DRAIN_FRAMES_MAX 4096u /* more at once than an engine can have to say: the next call goes on */
#define HELLO_CALL 1u
#define FIRST_CALL 2u
#define RETRY_FIRST_MS 5u
#define RETRY_LAST_MS 100u

uint64_t stsp__now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

bool stsp__terminated(const char *text, size_t size) { return memchr(text, 0, size) != NULL; }

/* ---- the end of a connection ------------------------------------------------------------------------------------- */

int stsp__link_die(struct stsp__link *link, int status, const char *format, ...) {
  if (link->fd >= 0) {
    va_list arguments;
    va_start(arguments, format);
    stsp__format(link->dead_text, sizeof link->dead_text, format, arguments);
    va_end(arguments);
    link->dead_status = status;
    stsp__frame_drop_passed(link);
    close(link->fd);
    link->fd = -1;
  }
  return stsp__link_dead(link);
}

int stsp__link_dead(struct stsp__link *link) {
  return stsp__fail(link->session, link->dead_status, "%s", link->dead_text);
}

static int gone(struct stsp__link *link, const char *how) {
  return stsp__link_die(link, STS_ESOCKET, "the engine at %s went away during %s of %s (%s); %s", link->socket,
                        link->action, link->subject, how, link->advice);
}

static int gone_errno(struct stsp__link *link, int number) {
  char words[128];
  if (number == ETIMEDOUT || number == EPIPE || number == ECONNRESET)
    return gone(link, number == ETIMEDOUT ? "it took nothing for too long" : "it closed the connection");
  return gone(link, strerror_r(number, words, sizeof words));
}

int stsp__link_broken(struct stsp__link *link, const char *what) {
  return stsp__link_die(link, STS_EINTERNAL,
                        "the engine at %s answered %s of %s with something that cannot be right (%s): plug-in and "
                        "engine must come from one release; please report this with the engine's log",
                        link->socket, link->action, link->subject, what);
}

/* ---- frames in ------------------------------------------------------------------------------------------------------ */

/* A whole frame is in link->frame. Status; a reply is left there for the call that waits. */
static int dispatch(struct stsp__link *link) {
  const struct wire_header *header = (const struct wire_header *)link->frame;
  const char *wrong = NULL;
  if (header->type == WIRE_ARENA && (link->passed[0] < 0 || link->passed_more))
    return stsp__link_broken(link, "an arena without exactly one descriptor");
  if (header->type == WIRE_REPLY) {
    if (link->reply_to == 0 || header->call_id != link->reply_to) wrong = "a reply to no call";
    link->replied = true;
  } else if (header->type == WIRE_STILL_WORKING) {
    if (header->length != sizeof *header) wrong = "a frame of the wrong length";
  } else if (header->type < WIRE_REPLY) {
    wrong = "a frame of the wrong direction";
  } else if (header->type > WIRE_DATA) {
    /* a higher minor adds frame types, which we may skip */
    if (link->engine_minor <= WIRE_MINOR) wrong = "a frame of unknown type";
  } else if (!link->sink) {
    wrong = "a frame of an image on another connection";
  } else {
    wrong = link->sink(link->owner, header, &link->passed[0]);
  }
  stsp__frame_drop_passed(link); /* descriptors belong to ARENA only, which has taken its own */
  if (link->fd < 0) return stsp__link_dead(link);
  return wrong ? stsp__link_broken(link, wrong) : STS_EOK;
}

/* One frame, when there is one: *taken. */
static int take_frame(struct stsp__link *link, bool *taken) {
  *taken = false;
  if (link->fd < 0) return stsp__link_dead(link);
  switch (stsp__frame_receive(link)) {
    case STSP_NOTHING: return STS_EOK;
    case STSP_FRAME: *taken = true; return dispatch(link);
    case STSP_END: return gone(link, "it closed the connection");
    case STSP_WRONG: return stsp__link_broken(link, "a frame header");
    case STSP_ERROR: break;
  }
  return gone_errno(link, errno);
}

int stsp__link_drain(struct stsp__link *link) {
  bool taken = true;
  int status = STS_EOK;
  for (unsigned frames = 0; taken && status == STS_EOK && frames < DRAIN_FRAMES_MAX; frames++)
    status = take_frame(link, &taken);
  return status;
}

int stsp__link_wait(struct stsp__link *link) {
  for (;;) {
    bool taken;
    int status = take_frame(link, &taken);
    if (taken || status != STS_EOK) return status;
    int ready = stsp__frame_poll(link->fd, POLLIN, stsp__now() + STSP_SILENCE_MS * UINT64_C(1000000));
    if (ready < 0) return gone_errno(link, errno);
    if (ready == 0) return gone(link, "it said nothing for 30 s");
  }
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static int send_bytes(struct stsp__link *link, const void *head, size_t head_length, const void *tail,
                      size_t tail_length) {
  if (link->fd < 0) return stsp__link_dead(link);
  int error = stsp__frame_send(link->fd, head, head_length, tail, tail_length);
  /* the engine hung up: what it said before, a refusal or a failure, waits to be read, and behind it the end */
  if (error == 0 || error == EPIPE || error == ECONNRESET) return STS_EOK;
  return gone_errno(link, error);
}

static int send_frame(struct stsp__link *link, uint16_t type, uint64_t call_id, void *frame, size_t size,
                      const void *tail, size_t tail_length) {
  struct wire_header *header = frame;
  *header = (struct wire_header){(uint32_t)(size + tail_length), type, 0, call_id};
  return send_bytes(link, frame, size, tail, tail_length);
}

int stsp__link_send(struct stsp__link *link, uint16_t type, void *frame, size_t size) {
  return send_frame(link, type, 0, frame, size, NULL, 0);
}

static const char *read_reply(const struct stsp__link *link, struct stsp__reply *reply) {
  const struct wire_reply *frame = (const struct wire_reply *)link->frame;
  if (frame->header.length < sizeof *frame) return "a reply that is too short";
  if (frame->text_length > WIRE_TEXT_MAX || frame->body_length > WIRE_FRAME_MAX) return "a reply with a wrong length";
  size_t text_end = sizeof *frame + frame->text_length;
  size_t body_at = (text_end + 7) & ~(size_t)7;
  size_t end = body_at + frame->body_length;
  if (frame->header.length != end && !(frame->body_length == 0 && frame->header.length == text_end))
    return "a reply with a wrong length";
  if (!stsp__status_known(frame->status)) return "a reply with an unknown status";
  *reply = (struct stsp__reply){frame->status, (const char *)(frame + 1), frame->text_length, link->frame + body_at,
                                frame->body_length};
  return NULL;
}

/* Waits for the reply to `call_id`, which was sent, and takes it. */
static int await_reply(struct stsp__link *link, uint64_t call_id, size_t body_bytes, bool longer,
                       struct stsp__reply *reply) {
  int status = STS_EOK;
  link->reply_to = call_id;
  link->replied = false;
  while (status == STS_EOK && !link->replied) status = stsp__link_wait(link);
  link->reply_to = 0;
  if (status != STS_EOK) return status;
  link->replied = false;
  const char *wrong = read_reply(link, reply);
  if (wrong) return stsp__link_broken(link, wrong);
  if (reply->status != STS_EOK) {
    if (strnlen(reply->text, reply->text_length) == 0)
      return stsp__fail(link->session, (int)reply->status, "%s of %s: %s", link->action, link->subject,
                        stsp__status_text(reply->status));
    return stsp__fail(link->session, (int)reply->status, "%.*s", (int)reply->text_length, reply->text);
  }
  if (longer ? reply->body_length < body_bytes : reply->body_length != body_bytes)
    return stsp__link_broken(link, "a reply with a body of the wrong length");
  return STS_EOK;
}

/* ---- connect ------------------------------------------------------------------------------------------------------------ */

static void pause_ms(unsigned ms, uint64_t until_ns) {
  uint64_t now = stsp__now();
  uint64_t ns = ms * UINT64_C(1000000);
  if (now + ns > until_ns) ns = until_ns > now ? until_ns - now : 0;
  struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
  nanosleep(&left, NULL); /* EINTR only shortens it: the caller looks at the clock */
}

/* A connected socket, or −errno. */
static int try_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    if (errno == EINTR) continue;
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

/* Sends HELLO, and behind it the first call's frame where there is one: one write, one wake-up of the engine. */
static int hello(struct stsp__link *link, const void *first, size_t first_size) {
  struct wire_hello frame;
  struct stsp__reply reply;
  memset(&frame, 0, sizeof frame);
  frame.header = (struct wire_header){sizeof frame, WIRE_HELLO, 0, HELLO_CALL};
  frame.magic = WIRE_MAGIC;
  frame.major = WIRE_MAJOR;
  frame.minor = WIRE_MINOR;
  frame.pid = (uint32_t)link->pid;
  memcpy(frame.job, link->session->job, strnlen(link->session->job, sizeof frame.job - 1));
  memcpy(frame.server, link->server, strnlen(link->server, sizeof frame.server - 1));
  int status = send_bytes(link, &frame, sizeof frame, first, first_size);
  link->call_id = HELLO_CALL;
  if (status == STS_EOK)
    status = await_reply(link, HELLO_CALL, sizeof(struct wire_hello_ok), false, &reply);
  if (status != STS_EOK) return status;
  const struct wire_hello_ok *answer = reply.body;
  if (answer->major != WIRE_MAJOR)
    return stsp__link_die(link, STS_EVERSION,
                          "the engine at %s speaks protocol %u.%u, this plug-in %u.%u: install both from one release",
                          link->socket, (unsigned)answer->major, (unsigned)answer->minor, WIRE_MAJOR, WIRE_MINOR);
  link->engine_minor = answer->minor;
  link->greeted = true;
  return STS_EOK;
}

static int refuse_connect(sts_session_t *session, const struct stsp__config *config, int number) {
  char words[128];
  if (number == EACCES || number == EPERM)
    return stsp__fail(session, STS_EPERM, "may not connect to the engine at %s: its directory and mode decide who may",
                      config->socket);
  if (number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS)
    return stsp__fail(session, STS_ENOMEM, "cannot make a socket for the engine at %s: %s", config->socket,
                      strerror_r(number, words, sizeof words));
  return stsp__fail(session, STS_ECONNECT,
                    "no engine at socket %s after %u s (%s): start it with 'systemctl start vast-ostd', or run "
                    "'vast-ostd' with the same vast-ost.conf; [engine] socket and connect_wait_s are set there",
                    config->socket, (unsigned)config->connect_wait_s, strerror_r(number, words, sizeof words));
}

/*
 * Connects and says hello, waiting for an engine that is not there yet. The engine answers a HELLO before it looks at
 * the frame behind it: one that went away without an answer has not begun the first call either, and both go again.
 */
static int greet(struct stsp__link *link, const void *first, size_t first_size) {
  const uint64_t until = stsp__now() + link->config->connect_wait_s * UINT64_C(1000000000);
  unsigned delay = RETRY_FIRST_MS;
  for (;;) {
    const int fd = try_connect(link->socket);
    if (fd >= 0) {
      link->fd = fd;
      const int status = hello(link, first, first_size);
      /* an engine that was just going away is one that is not there yet */
      const bool ended = link->fd < 0 && link->dead_status == STS_ESOCKET && link->have == 0 && !link->greeted;
      if (!ended || stsp__now() >= until) return status;
    } else if ((fd != -ENOENT && fd != -ECONNREFUSED && fd != -EAGAIN) || stsp__now() >= until) {
      return refuse_connect(link->session, link->config, -fd);
    }
    pause_ms(delay, until);
    delay = delay * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : delay * 2;
  }
}

struct stsp__link *stsp__link_new(const struct stsp__config *config, sts_session_t *session, const char *server) {
  struct stsp__link *link = malloc(sizeof *link);
  if (!link) return NULL;
  memset(link, 0, offsetof(struct stsp__link, frame));
  link->session = session;
  link->config = config;
  link->server = server;
  link->fd = -1;
  link->pid = getpid();
  link->passed[0] = -1;
  link->action = "the opening";
  link->advice = "try again when it runs";
  memcpy(link->socket, config->socket, sizeof link->socket);
  stsp__printable(link->subject, sizeof link->subject, server);
  return link;
}

int stsp__link_open(const struct stsp__config *config, sts_session_t *session, const char *server,
                    struct stsp__link **out) {
  *out = NULL;
  struct stsp__link *link = stsp__link_new(config, session, server);
  if (!link) return stsp__fail(session, STS_ENOMEM, "out of memory for a connection to the engine");
  int status = greet(link, NULL, 0);
  if (status != STS_EOK) stsp__link_close(link);
  else *out = link;
  return status;
}

int stsp__link_call(struct stsp__link *link, uint16_t type, void *frame, size_t size, const void *tail,
                    size_t tail_length, size_t body_bytes, bool longer, struct stsp__reply *reply) {
  struct stsp__reply unused;
  int status;
  if (!reply) reply = &unused;
  if (!link->greeted && tail_length == 0) {
    struct wire_header *header = frame;
    *header = (struct wire_header){(uint32_t)size, type, 0, FIRST_CALL};
    status = greet(link, frame, size);
    link->call_id = FIRST_CALL;
  } else {
    status = send_frame(link, type, ++link->call_id, frame, size, tail, tail_length);
  }
  return status == STS_EOK ? await_reply(link, link->call_id, body_bytes, longer, reply) : status;
}

int stsp__link_call_behind(struct stsp__link *link, uint16_t first_type, void *first, size_t first_size, uint16_t type,
                           void *frame, size_t size, size_t body_bytes) {
  if (first_size == 0) return stsp__link_call(link, type, frame, size, NULL, 0, body_bytes, false, NULL);
  struct stsp__reply unused;
  struct wire_header *header = first;
  *header = (struct wire_header){(uint32_t)first_size, first_type, 0, 0};
  header = frame;
  *header = (struct wire_header){(uint32_t)size, type, 0, ++link->call_id};
  int status = send_bytes(link, first, first_size, frame, size);
  return status == STS_EOK ? await_reply(link, link->call_id, body_bytes, false, &unused) : status;
}

void stsp__link_close(struct stsp__link *link) {
  if (!link) return;
  stsp__frame_drop_passed(link);
  if (link->fd >= 0) close(link->fd);
  free(link);
}
