/* image.h: one image handle: its connection, its arena, and what a writer or a reader keeps. */
#ifndef STSP_IMAGE_H
#define STSP_IMAGE_H

#include "engine-link.h"
#include "slot.h"

/*
 *   the block being filled, in slot i:
 *
 *   i × slot_bytes                                                        (i + 1) × slot_bytes
 *   |<-- start -->|<------------- fill ------------->|                    |
 *   |   unused    | bytes of the image from `offset` | still free         |
 *
 *   start = offset modulo 4096, so that the engine can write whole sectors straight from the slot
 */
struct stsp__block {
  bool open;
  uint32_t slot;
  uint32_t start;
  uint32_t fill;
  uint64_t offset;
};

struct stsp__writer {
  uint64_t free_slots; /* bit i: the credit of slot i is here, unused */
  uint64_t submitted[WIRE_SLOTS_MAX]; /* sequence under way in a slot, 0: none */
  uint64_t sequence;   /* of the last SUBMIT */
  struct stsp__block block;
  uint64_t block_bytes; /* how far into its slot the block that is next, or open, goes; the slot may be smaller */
  uint64_t filled;      /* bytes that were copied into slots, for the image as a whole */
  bool populate_sent;
  int failure; /* status of the first failure; all writes, flushes and complete closes repeat it */
  bool failure_told;
  char failure_text[STS_MAX_ERROR];
};

struct stsp__held { /* a piece of the image that lies in a slot */
  uint64_t offset;
  uint32_t slot_offset;
  uint32_t length;
};

struct stsp__reader {
  uint32_t generation;
  uint64_t delivered_end; /* image offset behind the last byte given to the host program */
  uint64_t held_slots;    /* bit i: held[i] is there */
  struct stsp__held held[WIRE_SLOTS_MAX];
};

struct stsp__image {
  struct stsp__link *link;
  sts_session_t *session;
  bool writable;
  uint8_t token[WIRE_TOKEN_BYTES]; /* of the writer */
  struct wire_image_opened opened;
  struct stsp__arena arena;
  union {
    struct stsp__writer writer;
    struct stsp__reader reader;
  };
  /* account of time, told to the engine with CLOSE */
  uint64_t entered_ns; /* when the last call began, and when the last one returned */
  uint64_t left_ns;
  uint64_t host_wait_ns; /* between the calls */
  uint64_t calls_ns;     /* in calls, the copy included */
  uint64_t copy_ns;
};

struct stsp__server; /* server.h */

/* mode: STS_MODE_*; create: make it. Status; text in the session. */
int stsp__image_open(const struct stsp__server *server, const char *lsu, const sts_image_def_t *def, int mode,
                     bool create, struct stsp__image **image);
int stsp__image_flush(struct stsp__image *image);
/* Frees the handle, whatever it returns. */
int stsp__image_close(struct stsp__image *image, bool complete);
int stsp__image_prop(struct stsp__image *image, sts_image_info_t *info);
int stsp__image_meta_write(struct stsp__image *image, const void *buffer, uint32_t length, uint32_t offset);
int stsp__image_meta_read(struct stsp__image *image, void *buffer, uint32_t length, uint32_t offset, uint32_t *got);

/* Around each call: what happens between `leave` and the next `enter` is the host program's time. leave returns `status`. */
void stsp__image_enter(struct stsp__image *image, const char *action);
int stsp__image_leave(struct stsp__image *image, int status);

/* Body of IMAGE_PROP. False: a string without end. */
bool stsp__info_from_wire(const struct wire_image_info *from, sts_image_info_t *info);

/* image-write.c. The arguments are checked; length > 0. */
int stsp__image_write(struct stsp__image *image, const unsigned char *buffer, uint64_t length, uint64_t offset);
/* Takes the frames that are there. The failure of earlier data, or STS_EOK. */
int stsp__writer_failure(struct stsp__image *image);
/* Ends the open block: true, with the frame that hands it to the engine; false when there is none. */
bool stsp__writer_end_block(struct stsp__image *image, struct wire_submit *frame);
const char *stsp__writer_sink(struct stsp__image *image, const struct wire_header *frame, int *fd);
/* A failure of our own side: from here on it counts as one of the data. Returns `status`. */
int stsp__writer_fail(struct stsp__image *image, int status);

/* image-read.c. The arguments are checked; length > 0. */
int stsp__image_read(struct stsp__image *image, unsigned char *buffer, uint64_t length, uint64_t offset, uint64_t *got);
const char *stsp__reader_sink(struct stsp__image *image, const struct wire_header *frame, int *fd);

/* Takes a new arena in place of the old one and tells the engine. NULL, or what is wrong. */
const char *stsp__image_arena(struct stsp__image *image, const struct wire_header *frame, int *fd);

#endif
