/* fake.h: the engine's end of a connection, played by a thread of the harness: a script of frames. */
#ifndef FAKE_H
#define FAKE_H

#include <pthread.h>

#include "../../wire/wire.h"
#include "harness.h"

struct engine {
  pthread_t thread;
  int listener;
  void (*script)(struct engine *engine);
  const void *argument;
};

/* Binds the run's socket, initialises the plug-in (no waiting for an engine) and starts the script. */
void engine_start(struct engine *engine, void (*script)(struct engine *engine), const void *argument);
/* Waits for the script's end; takes the socket away. */
void engine_join(struct engine *engine);
/* The socket alone. */
int engine_listen(int backlog);

/* Accepts a connection; with hello: takes HELLO and answers it. */
int fake_accept(struct engine *engine);
int fake_hello(struct engine *engine);

/* Takes one frame; fails the test when it has another type. Good until the thread takes the next one. */
const void *fake_expect(int fd, uint16_t type);
/* POPULATE frames that this thread has passed over so far. */
unsigned fake_populates(void);
/* Takes one frame of any type; NULL at the end of the connection. */
const struct wire_header *fake_take(int fd);
/* The other side has closed, with nothing more to say. */
void fake_expect_end(int fd);
/* The other side closes, whatever it says before. */
void fake_skip_to_end(int fd);

void fake_send(int fd, const void *bytes, size_t length);
void fake_reply(int fd, uint32_t status, const char *text, const void *body, size_t body_length);
void fake_reply_to(int fd, uint64_t call_id, uint32_t status, const char *text, const void *body, size_t body_length);
void fake_still_working(int fd);
void fake_failed(int fd, uint32_t status, const char *text);
void fake_credit(int fd, uint32_t arena, uint32_t slot, uint64_t sequence);
void fake_data(int fd, uint32_t arena, uint32_t slot, uint32_t slot_offset, uint32_t length, uint64_t offset,
               uint32_t generation);

/* A sealed memfd of so many bytes. */
int fake_memory(size_t bytes, bool sealed);
/* Sends bytes with descriptors. */
void fake_send_with(int fd, const void *bytes, size_t length, const int *descriptors, size_t count);
/* Makes an arena, sends it, and returns its memory; ends with fake_arena_end. */
unsigned char *fake_arena(int fd, uint32_t arena, uint32_t slots, uint32_t slot_bytes);
/* The same for a writer whose first blocks are short. */
unsigned char *fake_arena_from(int fd, uint32_t arena, uint32_t slots, uint32_t slot_bytes, uint32_t first_bytes);
void fake_arena_end(unsigned char *memory, uint32_t slots, uint32_t slot_bytes);

/* Takes CREATE or OPEN and answers it; `size` is the image's size and durable size. */
void fake_opened(int fd, uint16_t type, uint64_t size);
/* HELLO, and CREATE or OPEN. */
int fake_image(struct engine *engine, uint16_t type, uint64_t size);
/* Takes CLOSE, checks its flags, answers; closes the socket when the plug-in has. */
void fake_closed(int fd, uint32_t flags);

/* What most tests begin with: a server connection that the script answers with fake_hello. */
sts_server_t *open_server(sts_session_t *session);
sts_image_t *create_image(sts_session_t *session, sts_server_t *server, const char *name);

#endif
