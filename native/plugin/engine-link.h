/*
 * engine-link.h: one connection to the engine = one handle. Used by one thread; keeps no thread of its own.
 *
 * A connection dies once: on the engine's end, on 30 s of silence during a call, or on a frame that cannot be right.
 * From then on every call on it fails with the same status and text.
 */
#ifndef STSP_ENGINE_LINK_H
#define STSP_ENGINE_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "../wire/wire.h"
#include "config.h"
#include "include/stsp.h"

#ifndef STSP_SILENCE_MS /* the tests build with a shorter one */
#define STSP_SILENCE_MS (WIRE_SILENCE_S * 1000u)
#endif

struct stsp__link;

/* A frame that is no reply. *fd ≥ 0 only with ARENA; who takes it writes −1. NULL, or what is wrong with the frame. */
typedef const char *(*stsp__sink)(void *owner, const struct wire_header *frame, int *fd);

struct stsp__link {
  sts_session_t *session;
  const struct stsp__config *config;
  const char *server;
  int fd; /* −1: dead, or not connected yet */
  bool greeted; /* HELLO was answered */
  pid_t pid;
  int dead_status;
  uint64_t call_id;  /* of the last call */
  uint64_t reply_to; /* call that waits, 0: none */
  bool replied;
  uint16_t engine_minor;
  stsp__sink sink; /* NULL: this connection expects replies only */
  void *owner;
  const char *action;     /* "write": what the host program is doing, for texts */
  const char *advice;     /* what to do when the engine has gone */
  char subject[448];      /* "image … in LSU …", for texts */
  char socket[STSP_SOCKET_MAX];
  char dead_text[STS_MAX_ERROR];
  size_t have;            /* bytes of `frame` */
  int passed[1];          /* descriptor that came with the frame's bytes, −1: none */
  bool passed_more;
  _Alignas(8) unsigned char frame[WIRE_FRAME_MAX];
};

/* A reply; pointers are good until the link receives again. `text` is not NUL-terminated. */
struct stsp__reply {
  uint32_t status;
  const char *text;
  uint32_t text_length;
  const void *body;
  uint32_t body_length;
};

/*
 * A link that connects with its first call, the hello in the same write. `config` and `server` must outlive that call.
 * NULL without memory.
 */
struct stsp__link *stsp__link_new(const struct stsp__config *config, sts_session_t *session, const char *server);

/* Connects and says hello, waiting for an engine that is not there yet. Status; text in the session. */
int stsp__link_open(const struct stsp__config *config, sts_session_t *session, const char *server,
                    struct stsp__link **link);

/* Closes and frees; NULL is allowed. */
void stsp__link_close(struct stsp__link *link);

/*
 * Sends a frame (type and length are filled in) and `tail`, waits for its reply. The engine's failure is put into the
 * session and returned. On success the body has exactly `body_bytes`, or at least that with `longer`.
 */
int stsp__link_call(struct stsp__link *link, uint16_t type, void *frame, size_t size, const void *tail,
                    size_t tail_length, size_t body_bytes, bool longer, struct stsp__reply *reply);

/*
 * A call without a tail, whose reply's body has exactly `body_bytes`; in front of it a one-way frame of `first_size`
 * bytes, 0: none. Both go in one write, so that the engine wakes once.
 */
int stsp__link_call_behind(struct stsp__link *link, uint16_t first_type, void *first, size_t first_size, uint16_t type,
                           void *frame, size_t size, size_t body_bytes);

/* A one-way frame. */
int stsp__link_send(struct stsp__link *link, uint16_t type, void *frame, size_t size);

/* Takes the frames that are there. Never waits, and is not for the time of a call, whose reply it would pass over. */
int stsp__link_drain(struct stsp__link *link);

/* Waits for at least one frame and takes it. */
int stsp__link_wait(struct stsp__link *link);

/* The engine sent something that cannot be right: the connection dies. */
int stsp__link_broken(struct stsp__link *link, const char *what);

/* The connection dies of something on our own side. */
int stsp__link_die(struct stsp__link *link, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Status and text of a dead connection, into the session. */
int stsp__link_dead(struct stsp__link *link);

/* Nanoseconds of the monotonic clock. */
uint64_t stsp__now(void);

/* True when `text` has its NUL within size bytes. */
bool stsp__terminated(const char *text, size_t size);

#endif
