/*
 * wire.h: the frames between plug-in and engine; frame-limits.h: every limit of that conversation; reply-status.h: what a
 * reply says of a call.
 *
 * They are the single truth. engine/core/wire.ts states the same offsets and limits, and a test compiles this header and
 * compares them. All integers are little-endian; all structs are packed by construction (each field naturally aligned, no
 * holes), which the static asserts below check. Nothing here is NetBackup's: it is this project's own protocol.
 *
 * One connection is one handle. A server connection carries control calls; an image connection carries one image.
 * The client has at most one call outstanding per connection; one-way frames (marked so) have no reply.
 *
 *   client                                     engine
 *     HELLO ───────────────────────────────►
 *     ◄─────────────────────────────── REPLY      (version, engine instance)
 *     IMAGE_CREATE ────────────────────────►
 *     ◄─────────────────────────────── REPLY      (image id, sizes)
 *     ◄─────────────────────────────── ARENA      (+ the memfd by SCM_RIGHTS)
 *     ◄─────────────────────────────── SLOT_FREE  (credit: one per slot)
 *     SUBMIT ──────────────────────────────►      (one way)
 *     ◄─────────────────────────────── SLOT_FREE  (written and digested)
 *     CLOSE ───────────────────────────────►
 *     ◄─────────────────────── STILL_WORKING      (every 5 s of a long call)
 *     ◄─────────────────────────────── REPLY
 */
#ifndef VAST_OST_WIRE_H
#define VAST_OST_WIRE_H

#include <stdint.h>

#include "frame-limits.h"
#include "reply-status.h"

#define WIRE_MAGIC 0x54534f56u /* "VOST" */
#define WIRE_MAJOR 1u          /* unequal: both sides refuse with a text that names both numbers */
#define WIRE_MINOR 0u          /* a higher minor only adds frame types */

/* ---- frame types ------------------------------------------------------------------------------------------------ */
enum wire_type {
  /* client to engine, any connection */
  WIRE_HELLO = 1,
  WIRE_STATUS = 2, /* reply body: JSON text of engine status */
  /* server connection */
  WIRE_SERVER_PROP = 10,
  WIRE_LSU_LIST_OPEN = 11,
  WIRE_LSU_LIST_NEXT = 12,
  WIRE_LSU_PROP = 13,
  WIRE_LSU_CREATE = 14,
  WIRE_LSU_LABEL = 15,
  WIRE_IMAGE_LIST_OPEN = 16,
  WIRE_IMAGE_LIST_NEXT = 17,
  WIRE_LIST_CLOSE = 18,
  WIRE_IMAGE_PROP_BYNAME = 19,
  WIRE_IMAGE_DELETE = 20,
  WIRE_IMAGE_COPY = 21,
  /* image connection */
  WIRE_IMAGE_CREATE = 30,
  WIRE_IMAGE_OPEN = 31,
  WIRE_IMAGE_RESUME = 32, /* after a lost connection: the same writer token goes on, see struct wire_image_resume */
  WIRE_SUBMIT = 33,       /* one way */
  WIRE_FLUSH = 34,
  WIRE_CLOSE = 35,
  WIRE_READ = 36,
  WIRE_SLOT_DONE = 37,     /* one way: the reader has copied what it wants from a slot */
  WIRE_METADATA_WRITE = 38, /* tail: the bytes */
  WIRE_METADATA_READ = 39,  /* reply body: the bytes */
  WIRE_IMAGE_PROP = 40,
  WIRE_ARENA_DROPPED = 41, /* one way: the client has unmapped that arena */
  WIRE_POPULATE = 42,      /* one way: half of the first slot is filled, get the next ones ready */
  /* engine to client */
  WIRE_REPLY = 128,
  WIRE_STILL_WORKING = 129,
  WIRE_ARENA = 130, /* one descriptor travels with it */
  WIRE_SLOT_FREE = 131,
  WIRE_FAILED = 132, /* a write failed: told by the next write, flush or close */
  WIRE_DATA = 133
};

/* ---- header ------------------------------------------------------------------------------------------------------ */
struct wire_header {
  uint32_t length;  /* bytes of the whole frame, this header included: 16 … WIRE_FRAME_MAX */
  uint16_t type;    /* enum wire_type */
  uint16_t flags;   /* zero */
  uint64_t call_id; /* chosen by the client, rising; the reply repeats it; 0 in frames that belong to no call */
};

/* Every string field is NUL-terminated inside its array and zero-filled behind; a field without NUL is refused. */

struct wire_hello {
  struct wire_header header;
  uint32_t magic;
  uint16_t major;
  uint16_t minor;
  uint32_t pid;
  uint32_t reserved;
  char job[WIRE_JOB_MAX];       /* goes into every engine line of this job */
  char server[WIRE_SERVER_MAX]; /* "VastData:NAME" */
};
struct wire_hello_ok { /* body of the reply */
  uint16_t major;
  uint16_t minor;
  uint32_t engine_pid;
  uint8_t instance[WIRE_TOKEN_BYTES]; /* differs after each start of the engine */
};

struct wire_image_def {
  char basename[WIRE_BASENAME_MAX]; /* any bytes but NUL, at least one */
  uint64_t date;                    /* seconds since 1970, at most WIRE_DATE_MAX, as the host program gives it; part of the key */
  char policy[WIRE_FIELD_MAX];      /* own optional fields; empty = unknown */
  char schedule[WIRE_FIELD_MAX];
  char client[WIRE_FIELD_MAX];
  uint32_t opaque_length; /* 0 … WIRE_OPAQUE_MAX */
  uint32_t reserved;
  uint8_t opaque[WIRE_OPAQUE_MAX]; /* kept byte for byte and given back */
};

/* Calls whose only argument is an LSU: LSU_PROP, LSU_CREATE. LSU_LABEL adds the label. */
struct wire_lsu {
  struct wire_header header;
  char lsu[WIRE_LSU_MAX];
};
struct wire_lsu_label {
  struct wire_header header;
  char lsu[WIRE_LSU_MAX];
  char label[WIRE_LABEL_MAX];
};
struct wire_list {
  struct wire_header header;
  uint32_t list; /* id from the open's reply */
  uint32_t reserved;
};
struct wire_list_opened { /* body */
  uint32_t list;
  uint32_t packed; /* 1: pages of images are of struct wire_listed; 0: of struct wire_image_def, as older engines make them */
};
struct wire_lsu_page { /* body; followed by count × char[WIRE_LSU_MAX] */
  uint32_t count; /* 0 = end */
  uint32_t reserved;
};
struct wire_image_list_open {
  struct wire_header header;
  char lsu[WIRE_LSU_MAX];
  uint32_t states; /* bits WIRE_LIST_*; 0 = all */
  uint32_t packed; /* 1: pages of struct wire_listed may come; 0 from older plug-ins */
};
#define WIRE_LIST_COMPLETE 1u
#define WIRE_LIST_PENDING 2u
struct wire_image_page { /* body; followed by count × struct wire_listed, or struct wire_image_def */
  uint32_t count; /* 0 = end */
  uint32_t reserved;
};
/* A definition as short as it is: most have a hundred bytes of their 2,832. Behind it, without NULs: basename, policy,
   schedule, client, opaque; the next one begins at a multiple of 8, and the last one ends the frame at such a multiple. */
struct wire_listed {
  uint64_t date;
  uint16_t basename_length; /* 1 … WIRE_BASENAME_MAX − 1 */
  uint16_t opaque_length;   /* 0 … WIRE_OPAQUE_MAX */
  uint8_t policy_length;
  uint8_t schedule_length;
  uint8_t client_length;
  uint8_t reserved;
};

struct wire_server_info { /* body of SERVER_PROP */
  uint64_t capabilities;  /* bits WIRE_CAP_* */
  uint32_t block_bytes;   /* WIRE_BLOCK_BYTES */
  uint32_t mounted;       /* 1: the storage root answers and carries its marker */
  char server[WIRE_SERVER_MAX];
  char engine_version[64];
  char store[32]; /* "file", "memory" */
};
#define WIRE_CAP_COPY_IMAGE 1u
#define WIRE_CAP_WRITE_RANDOM 2u
#define WIRE_CAP_READ_METADATA 4u

struct wire_lsu_info { /* body of LSU_PROP */
  uint64_t capacity;   /* bytes the storage can hold */
  uint64_t used;       /* bytes in use there, logical */
  uint64_t used_phys;  /* bytes in use there, physical; equal to used where the storage does not tell */
  uint64_t free_bytes; /* bytes an unprivileged writer can still use */
  uint32_t flags;      /* bits WIRE_LSU_* */
  uint32_t reserved;
  char label[WIRE_LABEL_MAX];
};
#define WIRE_LSU_ACTIVE 1u

/* ---- images ------------------------------------------------------------------------------------------------------ */
struct wire_image_create {
  struct wire_header header;
  uint8_t token[WIRE_TOKEN_BYTES]; /* writer token, random, one per open for write */
  char lsu[WIRE_LSU_MAX];
  struct wire_image_def def;
};
#define WIRE_MODE_READ 1u
#define WIRE_MODE_WRITE 2u
struct wire_image_open {
  struct wire_header header;
  uint8_t token[WIRE_TOKEN_BYTES]; /* zero for reading */
  uint32_t mode;
  uint32_t reserved;
  char lsu[WIRE_LSU_MAX];
  struct wire_image_def def; /* only the key is looked at */
};
/*
 * RESUME, first frame after HELLO on a new connection. Same token and the image pending: the engine goes on, the reply
 * says from where. Same token and complete: success, the stored result stands. Another token: WIRE_EGONE.
 */
struct wire_image_resume {
  struct wire_header header;
  uint8_t token[WIRE_TOKEN_BYTES];
  uint8_t image_id[WIRE_TOKEN_BYTES];
  char lsu[WIRE_LSU_MAX];
  struct wire_image_def def;
};
struct wire_image_opened { /* body of CREATE, OPEN, RESUME */
  uint8_t image_id[WIRE_TOKEN_BYTES];
  uint64_t size;         /* bytes: of a complete image its size, of a pending one its durable size */
  uint64_t durable_size; /* bytes that survive power loss; writing goes on at or below this offset */
  uint32_t state;        /* bits WIRE_II_* */
  uint32_t metadata_length;
};
#define WIRE_II_PENDING 1u
#define WIRE_II_CREATED 2u
#define WIRE_II_BUSY_WRITE 4u
#define WIRE_II_DAMAGED 8u

struct wire_submit { /* one way */
  struct wire_header header;
  uint32_t arena;
  uint32_t slot;
  uint32_t slot_offset; /* bytes; equal to offset modulo WIRE_SLOT_ALIGN */
  uint32_t length;      /* bytes, > 0, multiple of WIRE_BLOCK_BYTES, slot_offset + length within the slot */
  uint64_t offset;      /* bytes in the image, multiple of WIRE_BLOCK_BYTES */
  uint64_t sequence;    /* 1, 2, 3 … of this handle */
};
struct wire_flush {
  struct wire_header header;
  uint64_t sequence; /* of the last SUBMIT; 0: none */
};
#define WIRE_CLOSE_COMPLETE 1u
struct wire_close {
  struct wire_header header;
  uint64_t sequence; /* of the last SUBMIT; 0: none */
  uint32_t flags;    /* WIRE_CLOSE_* */
  uint32_t reserved;
  uint64_t host_wait_ns; /* the plug-in's own account: time between calls, in which the host program was busy */
  uint64_t slot_wait_ns; /* time in calls before this one, from the open on, less copy_ns: waits for a slot or for data */
  uint64_t copy_ns;      /* time in memcpy */
};
struct wire_closed { /* body of FLUSH and CLOSE */
  uint64_t size;
  uint64_t durable_size;
  uint32_t state; /* bits WIRE_II_* */
  uint32_t reserved;
};
/*
 * READ. Before the reply to it the engine sends DATA frames that cover [offset, …) without a gap from the front, at
 * least one byte of it; a READ at or behind the end of the image gets a reply and no DATA. `generation` rises when the
 * client jumps: it then holds no slot any more and ignores DATA of older generations. Within a generation the engine
 * may push DATA that was not asked for yet: that is read-ahead.
 */
struct wire_read {
  struct wire_header header;
  uint64_t offset; /* bytes, any */
  uint32_t length; /* bytes wanted, > 0 */
  uint32_t generation;
};
struct wire_slot_done { /* one way */
  struct wire_header header;
  uint32_t arena;
  uint32_t slot;
  uint32_t generation;
  uint32_t reserved;
};
struct wire_metadata {
  struct wire_header header;
  uint32_t offset;
  uint32_t length; /* WRITE: bytes of the tail; READ: bytes wanted */
};
struct wire_metadata_read { /* body; followed by length bytes */
  uint32_t length;
  uint32_t total;
};
struct wire_arena_dropped { /* one way */
  struct wire_header header;
  uint32_t arena;
  uint32_t reserved;
};

struct wire_image_byname { /* IMAGE_PROP_BYNAME, IMAGE_DELETE */
  struct wire_header header;
  char lsu[WIRE_LSU_MAX];
  struct wire_image_def def;
};
struct wire_image_info { /* body of IMAGE_PROP, IMAGE_PROP_BYNAME */
  uint64_t size;         /* complete: its size; pending: durable size; busy: what was written so far */
  uint64_t durable_size;
  uint64_t physical_bytes; /* what the storage says that the data takes */
  uint32_t state;          /* bits WIRE_II_* */
  uint32_t fragments;
  uint32_t metadata_length;
  uint32_t reserved;
  uint8_t image_id[WIRE_TOKEN_BYTES];
  char checksum[80]; /* "sha256:…" or empty */
  struct wire_image_def def;
};
struct wire_image_copy {
  struct wire_header header;
  uint8_t token[WIRE_TOKEN_BYTES];
  char from_lsu[WIRE_LSU_MAX];
  char to_lsu[WIRE_LSU_MAX];
  struct wire_image_def from;
  struct wire_image_def to;
};
#define WIRE_COPY_REFLINK 1u
#define WIRE_COPY_RANGE 2u
#define WIRE_COPY_LANES 3u
struct wire_copied { /* body */
  uint64_t size;
  uint32_t method; /* WIRE_COPY_* */
  uint32_t reserved;
};

/* ---- engine to client ---------------------------------------------------------------------------------------------- */
struct wire_reply { /* followed by text_length bytes of text, then body_length bytes of body at the next multiple of 8 */
  struct wire_header header;
  uint32_t status;    /* enum wire_status */
  uint32_t sys_errno; /* 0 or the system's errno behind the failure */
  uint32_t text_length;
  uint32_t body_length;
};
/*
 * One descriptor comes with it. It replaces the arena before only while no slot of that one is credited, under way, or
 * held by a reader: the client then unmaps, says ARENA_DROPPED, and no frame names the old one any more.
 */
struct wire_arena {
  struct wire_header header;
  uint32_t arena;
  uint32_t slots;
  uint32_t slot_bytes;  /* multiple of WIRE_SLOT_ALIGN; slot i lies at i × slot_bytes */
  uint32_t first_bytes; /* a writer's first block fills its slot up to here, each next one twice as far, until one fills
                           the slot: storage has something to do early. A multiple of WIRE_SLOT_ALIGN; 0: all are whole */
};
struct wire_slot_free {
  struct wire_header header;
  uint32_t arena;
  uint32_t slot;
  uint64_t sequence; /* of the SUBMIT that it answers; 0: a first credit */
};
struct wire_failed { /* followed by text_length bytes */
  struct wire_header header;
  uint32_t status;
  uint32_t sys_errno;
  uint32_t text_length;
  uint32_t reserved;
};
struct wire_data {
  struct wire_header header;
  uint32_t arena;
  uint32_t slot;
  uint32_t slot_offset;
  uint32_t length;
  uint64_t offset; /* bytes in the image */
  uint32_t generation;
  uint32_t reserved;
};

_Static_assert(sizeof(struct wire_header) == 16, "header");
_Static_assert(sizeof(struct wire_image_def) == 1024 + 8 + 3 * 256 + 8 + 1024, "image definition has no hole");
_Static_assert(sizeof(struct wire_hello) == 16 + 16 + 64 + 256, "hello");
_Static_assert(sizeof(struct wire_submit) == 48, "submit");
_Static_assert(sizeof(struct wire_data) == 48, "data");
_Static_assert(sizeof(struct wire_reply) == 32, "reply");
_Static_assert(sizeof(struct wire_listed) == 16, "listed");
_Static_assert(sizeof(struct wire_image_copy) == 16 + 16 + 512 + 2 * sizeof(struct wire_image_def), "copy");
_Static_assert(sizeof(struct wire_reply) + WIRE_TEXT_MAX + sizeof(struct wire_image_page) +
                       WIRE_LIST_PAGE_BYTES <= WIRE_FRAME_MAX, "a page fits a frame");
_Static_assert(WIRE_LIST_WHOLE_MAX * sizeof(struct wire_image_def) <= WIRE_LIST_PAGE_BYTES, "a page of whole definitions too");
_Static_assert(sizeof(struct wire_metadata) + WIRE_METADATA_MAX <= WIRE_FRAME_MAX, "metadata fits a frame");

#endif
