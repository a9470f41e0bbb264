/* image.c: the calls of an image handle that are no data: open, flush, close, properties, metadata. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "image.h"
#include "log.h"
#include "server.h"

static const char advice_write[] =
    "the image is pending: open it for write again when the engine runs, and continue at its durable size";
static const char advice_complete[] =
    "whether the image is complete is not known: look at its properties when the engine runs; if it is pending, open "
    "it for write again and continue at its durable size";
static const char advice_read[] = "open the image again when the engine runs";

/* ---- open -------------------------------------------------------------------------------------------------------------- */

bool stsp__random(void *bytes, size_t length) {
  unsigned char *at = bytes;
#ifdef SYS_getrandom
  while (length > 0) {
    long got = syscall(SYS_getrandom, at, length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    at += got;
    length -= (size_t)got;
  }
#endif
  if (length == 0) return true;
  int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC); /* kernels before 3.17 */
  if (file < 0) return false;
  while (length > 0) {
    ssize_t got = read(file, at, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    at += got;
    length -= (size_t)got;
  }
  close(file);
  return length == 0;
}

static const char *sink(void *owner, const struct wire_header *frame, int *fd) {
  struct stsp__image *image = owner;
  return image->writable ? stsp__writer_sink(image, frame, fd) : stsp__reader_sink(image, frame, fd);
}

static int call_open(struct stsp__image *image, const char *lsu, const struct wire_image_def *def, bool create) {
  struct stsp__reply reply;
  int status;
  if (create) {
    struct wire_image_create frame;
    memset(&frame, 0, sizeof frame);
    memcpy(frame.token, image->token, sizeof frame.token);
    memcpy(frame.lsu, lsu, sizeof frame.lsu);
    frame.def = *def;
    status = stsp__link_call(image->link, WIRE_IMAGE_CREATE, &frame, sizeof frame, NULL, 0, sizeof image->opened, false,
                             &reply);
  } else {
    struct wire_image_open frame;
    memset(&frame, 0, sizeof frame);
    memcpy(frame.token, image->token, sizeof frame.token);
    frame.mode = image->writable ? WIRE_MODE_WRITE : WIRE_MODE_READ;
    memcpy(frame.lsu, lsu, sizeof frame.lsu);
    frame.def = *def;
    status = stsp__link_call(image->link, WIRE_IMAGE_OPEN, &frame, sizeof frame, NULL, 0, sizeof image->opened, false,
                             &reply);
  }
  if (status == STS_EOK) memcpy(&image->opened, reply.body, sizeof image->opened);
  return status;
}

int stsp__image_open(const struct stsp__server *server, const char *lsu_name, const sts_image_def_t *def, int mode,
                     bool create, struct stsp__image **out) {
  sts_session_t *session = server->link->session;
  struct wire_image_def wire_def;
  char lsu[WIRE_LSU_MAX];
  if (mode != STS_MODE_READ && mode != STS_MODE_WRITE)
    return stsp__fail(session, STS_EINVAL, "open mode %d is neither STS_MODE_READ nor STS_MODE_WRITE", mode);
  int status = stsp__check_name(session, "the LSU's name", lsu_name, lsu, sizeof lsu);
  if (status == STS_EOK) status = stsp__check_def(session, def, &wire_def);
  if (status != STS_EOK) return status;
  struct stsp__image *image = calloc(1, sizeof *image);
  if (!image) return stsp__fail(session, STS_ENOMEM, "out of memory for an image handle");
  image->session = session;
  image->writable = mode == STS_MODE_WRITE;
  if (image->writable && !stsp__random(image->token, sizeof image->token)) {
    free(image);
    return stsp__fail(session, STS_ESYSTEM, "the kernel gives no random bytes for a writer token");
  }
  struct stsp__link *link = image->link = stsp__link_new(&server->config, session, server->name);
  if (!link) {
    status = stsp__fail(session, STS_ENOMEM, "out of memory for a connection to the engine");
  } else {
    link->sink = sink;
    link->owner = image;
    link->action = create ? "the creation" : "the opening";
    link->advice = create ? "the image may be there, pending: open it for write when the engine runs" : advice_read;
    stsp__describe(link->subject, sizeof link->subject, &wire_def, lsu);
    image->entered_ns = stsp__now();
    status = call_open(image, lsu, &wire_def, create);
    link->advice = image->writable ? advice_write : advice_read;
  }
  if (status != STS_EOK) {
    stsp__arena_unmap(&image->arena);
    stsp__link_close(image->link);
    free(image);
    return status;
  }
  (void)stsp__image_leave(image, status);
  stsp__log(session, STS_LOG_DEBUG, "opened %s for %s", image->link->subject, image->writable ? "write" : "read");
  *out = image;
  return STS_EOK;
}

/* ---- account of time ---------------------------------------------------------------------------------------------------- */

void stsp__image_enter(struct stsp__image *image, const char *action) {
  image->link->action = action;
  image->entered_ns = stsp__now();
  image->host_wait_ns += image->entered_ns - image->left_ns;
}

int stsp__image_leave(struct stsp__image *image, int status) {
  image->left_ns = stsp__now();
  image->calls_ns += image->left_ns - image->entered_ns;
  return status;
}

/* ---- arena ------------------------------------------------------------------------------------------------------------- */

const char *stsp__image_arena(struct stsp__image *image, const struct wire_header *frame, int *fd) {
  const struct wire_arena *arena = (const struct wire_arena *)frame;
  int error = 0;
  if (frame->length != sizeof *arena) return "an arena frame of the wrong length";
  if (image->arena.base) {
    struct wire_arena_dropped dropped = {.arena = image->arena.id};
    if (arena->arena == image->arena.id) return "an arena with the number of the one before";
    stsp__arena_unmap(&image->arena);
    if (stsp__link_send(image->link, WIRE_ARENA_DROPPED, &dropped, sizeof dropped) != STS_EOK) return NULL;
  }
  const char *wrong = stsp__arena_map(&image->arena, arena, *fd, image->writable, &error);
  if (error)
    (void)stsp__link_die(image->link, STS_ENOMEM, "cannot map %u slots of %u bytes for %s (errno %d): raise the "
                         "process's limit of address space, or lower write_buffer_count, read_ahead_mb or block_size_mb",
                         (unsigned)arena->slots, (unsigned)arena->slot_bytes, image->link->subject, error);
  return wrong;
}

/* ---- flush, close ------------------------------------------------------------------------------------------------------ */

int stsp__image_flush(struct stsp__image *image) {
  stsp__image_enter(image, "the flush");
  int status = stsp__writer_failure(image);
  if (status != STS_EOK) return stsp__image_leave(image, status);
  struct wire_submit last;
  bool more = stsp__writer_end_block(image, &last);
  struct wire_flush frame = {.sequence = image->writer.sequence};
  status = stsp__link_call_behind(image->link, WIRE_SUBMIT, &last, more ? sizeof last : 0, WIRE_FLUSH, &frame,
                                  sizeof frame, sizeof(struct wire_closed));
  int failure = image->writer.failure != STS_EOK ? stsp__writer_failure(image) : STS_EOK;
  return stsp__image_leave(image, failure != STS_EOK ? failure : status);
}

static int call_close(struct stsp__image *image, bool complete, bool with_block) {
  struct wire_submit last;
  bool more = with_block && stsp__writer_end_block(image, &last);
  uint64_t sequence = image->writable ? image->writer.sequence : 0;
  struct wire_close frame = {.sequence = sequence, .flags = complete ? WIRE_CLOSE_COMPLETE : 0,
                             .host_wait_ns = image->host_wait_ns, .slot_wait_ns = image->calls_ns - image->copy_ns,
                             .copy_ns = image->copy_ns};
  return stsp__link_call_behind(image->link, WIRE_SUBMIT, &last, more ? sizeof last : 0, WIRE_CLOSE, &frame,
                                sizeof frame, sizeof(struct wire_closed));
}

/*
 * After a failure a complete close is sent as an incomplete one: an image that lost a write never becomes complete,
 * even if the engine knows nothing of a failure on our side. The host program is told the failure.
 */
static int close_writer(struct stsp__image *image, bool complete) {
  struct stsp__writer *writer = &image->writer;
  int status = writer->failure == STS_EOK ? stsp__link_drain(image->link) : STS_EOK;
  if (status == STS_EOK) {
    bool sound = writer->failure == STS_EOK;
    image->link->advice = complete && sound ? advice_complete : advice_write;
    status = call_close(image, complete && sound, sound);
  }
  bool tell = writer->failure != STS_EOK && (complete || !writer->failure_told);
  return tell ? stsp__writer_failure(image) : status;
}

int stsp__image_close(struct stsp__image *image, bool complete) {
  stsp__image_enter(image, "the close");
  int status = image->writable ? close_writer(image, complete) : call_close(image, false, false);
  if (status == STS_EOK) stsp__log(image->session, STS_LOG_DEBUG, "closed %s", image->link->subject);
  stsp__arena_unmap(&image->arena); /* before the socket: its end tells the engine that the memory is its own again */
  stsp__link_close(image->link);
  free(image);
  return status;
}

/* ---- properties, metadata ----------------------------------------------------------------------------------------------- */

bool stsp__info_from_wire(const struct wire_image_info *from, sts_image_info_t *info) {
  memset(info, 0, sizeof *info);
  if (!stsp__terminated(from->checksum, sizeof from->checksum)) return false;
  if (!stsp__def_from_wire(&from->def, &info->imo_def)) return false;
  info->imo_size = from->size;
  info->imo_durable = from->durable_size;
  info->imo_phys = from->physical_bytes;
  info->imo_status = from->state;
  info->imo_fragments = from->fragments;
  info->imo_metadata_length = from->metadata_length;
  memcpy(info->imo_id, from->image_id, sizeof info->imo_id);
  memcpy(info->imo_checksum, from->checksum, sizeof info->imo_checksum);
  return true;
}

int stsp__image_prop(struct stsp__image *image, sts_image_info_t *info) {
  struct wire_header frame;
  struct stsp__reply reply;
  stsp__image_enter(image, "the properties");
  int status = stsp__image_leave(image, stsp__link_call(image->link, WIRE_IMAGE_PROP, &frame, sizeof frame, NULL, 0,
                                            sizeof(struct wire_image_info), false, &reply));
  if (status != STS_EOK) return status;
  if (!stsp__info_from_wire(reply.body, info)) return stsp__link_broken(image->link, "image properties");
  return STS_EOK;
}

int stsp__image_meta_write(struct stsp__image *image, const void *buffer, uint32_t length, uint32_t offset) {
  struct wire_metadata frame = {.offset = offset, .length = length};
  stsp__image_enter(image, "a metadata write");
  return stsp__image_leave(image, stsp__link_call(image->link, WIRE_METADATA_WRITE, &frame, sizeof frame, buffer, length, 0, false,
                                      NULL));
}

int stsp__image_meta_read(struct stsp__image *image, void *buffer, uint32_t length, uint32_t offset, uint32_t *got) {
  struct wire_metadata frame = {.offset = offset, .length = length};
  struct stsp__reply reply;
  stsp__image_enter(image, "a metadata read");
  int status = stsp__image_leave(image, stsp__link_call(image->link, WIRE_METADATA_READ, &frame, sizeof frame, NULL, 0,
                                            sizeof(struct wire_metadata_read), true, &reply));
  if (status != STS_EOK) return status;
  const struct wire_metadata_read *body = reply.body;
  if (body->length > length || body->length != reply.body_length - sizeof *body)
    return stsp__link_broken(image->link, "metadata of the wrong length");
  memcpy(buffer, body + 1, body->length);
  *got = body->length;
  return STS_EOK;
}
