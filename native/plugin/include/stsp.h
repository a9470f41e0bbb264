/*
 * stsp.h: the C API of the vast-ost plug-in (libstspiVastData.so, libstspiVastDataMT.so).
 *
 * THIS IS THE PROJECT'S OWN API AND ABI, with its own version. It follows the public descriptions of the OpenStorage
 * interface in names and behaviour, but no layout, signature, number or limit below is NetBackup's. An adapter to the
 * real interface needs the licensed SDK and is a separate piece.
 *
 * Rules for every call
 *  - returns STS_EOK (0) or a positive STS_E… status; the text of the last failure is in the handle's session:
 *    `session->error`, always NUL-terminated, one line, naming the image, path or setting and the next step;
 *  - a handle belongs to the thread that made it and to the process that made it: in a forked child every call on a
 *    parent's handle returns STS_ESTATE, and closing it there frees the child's descriptors only;
 *  - pointers handed in are borrowed for the call, unless said otherwise; handles handed out are freed by their close,
 *    which frees also when it returns a failure; a handle that was closed must not be used: where that can be told,
 *    STS_EINVAL is returned;
 *  - the library makes no threads and no signal handlers, prints nothing, never exits, and raises no SIGPIPE.
 */
#ifndef STSP_H
#define STSP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STSP_ABI_VERSION 1u

typedef uint32_t sts_uint32_t;
typedef uint64_t sts_uint64_t;

/* Limits, with the NUL where a string is meant. The project's own. */
#define STS_BLOCK_SIZE 512u /* write offsets and lengths are multiples of it */
#define STS_MAX_STSNAME 256u
#define STS_MAX_LSUNAME 256u
#define STS_MAX_IMAGENAME 1024u
#define STS_MAX_LABEL 256u
#define STS_MAX_FIELD 256u
#define STS_MAX_JOB 64u
#define STS_MAX_OPAQUE 1024u
#define STS_MAX_METADATA 65536u
#define STS_MAX_ERROR 1024u

/* Status. The project's own numbers; where a public log shows NetBackup printing 2060000 + n for the same meaning, n. */
enum {
  STS_EOK = 0,
  STS_EINVAL = 1,
  STS_ENOMEM = 2,
  STS_ENOENT = 13,  /* no such object, and the end of a list */
  STS_EABORT = 14,
  STS_ESYSTEM = 17,
  STS_ESOCKET = 19, /* the engine went away during the call */
  STS_EINTERNAL = 22,
  STS_EPERM = 37,
  STS_ECLAIM = 201,
  STS_ECONNECT = 202,
  STS_ENOSPC = 203,
  STS_EBUSY = 204,
  STS_EEXIST = 205,
  STS_ENOTMOUNTED = 206,
  STS_EDAMAGED = 207,
  STS_EVERSION = 208,
  STS_ESTATE = 209,
  STS_EGONE = 210,
  STS_ENOTSUP = 211
};

/* Severities of the log callback, as NetBackup's logs print them in <>. */
enum { STS_LOG_DEBUG = 2, STS_LOG_INFO = 4, STS_LOG_WARNING = 8, STS_LOG_ERROR = 16 };

typedef void (*sts_log_fn)(void *context, int severity, const char *line);

/*
 * One per host program and thread; owned by the host program and alive as long as any handle made with it.
 * `error` is written by the plug-in.
 */
typedef struct {
  sts_uint32_t abi_version; /* STSP_ABI_VERSION */
  char job[STS_MAX_JOB];    /* name of the job; stands in every engine line of it; may be empty */
  sts_log_fn log;           /* or NULL */
  void *log_context;
  char error[STS_MAX_ERROR];
} sts_session_t;

typedef struct sts_server sts_server_t;
typedef struct sts_image sts_image_t;
typedef struct sts_lsu_list sts_lsu_list_t;
typedef struct sts_image_list sts_image_list_t;

typedef struct {
  char server[STS_MAX_STSNAME];
  char engine_version[64];
  char store[32];
  sts_uint64_t capabilities; /* STS_SRVC_* */
  sts_uint32_t block_size;   /* STS_BLOCK_SIZE */
  sts_uint32_t mounted;      /* 1: the storage root answers and carries its marker */
} sts_server_info_t;
#define STS_SRVC_COPY_IMAGE 1u
#define STS_SRVC_WRITE_IMAGE_RANDOM 2u
#define STS_SRVC_READ_IMAGE_META 4u

typedef struct {
  sts_uint64_t lsu_capacity;
  sts_uint64_t lsu_used;
  sts_uint64_t lsu_used_phys;
  sts_uint64_t lsu_free;
  sts_uint32_t lsu_flags; /* STS_LSUF_* */
  sts_uint32_t reserved;
  char lsu_label[STS_MAX_LABEL];
} sts_lsu_info_t;
#define STS_LSUF_ACTIVE 1u

/* Key of an image = (LSU, img_basename, img_date). The rest is kept byte for byte and given back. */
typedef struct {
  char img_basename[STS_MAX_IMAGENAME]; /* any bytes but NUL, at least one */
  sts_uint64_t img_date;                /* seconds since 1970; at most 2^53 − 1 */
  char img_policy[STS_MAX_FIELD];       /* the project's own optional fields; empty = unknown */
  char img_schedule[STS_MAX_FIELD];
  char img_client[STS_MAX_FIELD];
  sts_uint32_t img_opaque_length;
  sts_uint32_t reserved;
  unsigned char img_opaque[STS_MAX_OPAQUE];
} sts_image_def_t;

typedef struct {
  sts_image_def_t imo_def;
  sts_uint64_t imo_size;    /* complete: its size; pending: durable size; being written: written so far */
  sts_uint64_t imo_durable; /* bytes that survive power loss */
  sts_uint64_t imo_phys;    /* bytes that the storage says the data takes */
  sts_uint32_t imo_status;  /* STS_II_* */
  sts_uint32_t imo_fragments;
  sts_uint32_t imo_metadata_length;
  sts_uint32_t reserved;
  unsigned char imo_id[16];
  char imo_checksum[80]; /* "sha256:…", or empty */
} sts_image_info_t;
#define STS_II_IMAGE_PENDING 1u
#define STS_II_IMAGE_CREATED 2u
#define STS_II_BUSY_WRITE 4u
#define STS_II_DAMAGED 8u

#define STS_MODE_READ 1
#define STS_MODE_WRITE 2
#define STS_CLOSEF_IH_INCOMPLETE 0
#define STS_CLOSEF_IH_COMPLETE 1
#define STS_LIST_COMPLETE 1u
#define STS_LIST_PENDING 2u
#define STS_COPY_REFLINK 1u
#define STS_COPY_RANGE 2u
#define STS_COPY_LANES 3u

/* ---- library ------------------------------------------------------------------------------------------------------- */

/*
 * Reads the configuration: `config_path`, else $VAST_OST_CONF, else /usr/openv/lib/ost-plugins/vast-ost.conf (there a
 * missing file means the defaults). No I/O beyond that file. May be called again; the last one counts.
 * `error` (or NULL) takes the text of a failure.
 */
int stsp_init(sts_uint32_t abi_version, const char *config_path, char *error, size_t error_size);

/* STS_EOK when the name is ours ("VastData:" and at least one more byte), else STS_ECLAIM. No I/O. */
int stsp_claim(const char *server_name);

/* Forgets the configuration. Handles that are still open stay usable. */
int stsp_terminate(void);

/* "vast-ost 0.1.0"; static. */
const char *stsp_version(void);

/* ---- storage server ------------------------------------------------------------------------------------------------ */

/* Connects to the engine, waiting up to connect_wait_s for one that is not there yet (then STS_ECONNECT). */
int stsp_open_server(sts_session_t *session, const char *server_name, sts_server_t **server);
int stsp_close_server(sts_server_t *server);
int stsp_get_server_prop(sts_server_t *server, sts_server_info_t *info);
int stsp_get_server_prop_byname(sts_session_t *session, const char *server_name, sts_server_info_t *info);

/* ---- LSUs -------------------------------------------------------------------------------------------------------------- */

int stsp_open_lsu_list(sts_server_t *server, sts_lsu_list_t **list);
int stsp_list_lsu(sts_lsu_list_t *list, char name[STS_MAX_LSUNAME]); /* STS_ENOENT at the end */
int stsp_close_lsu_list(sts_lsu_list_t *list);
int stsp_get_lsu_prop_byname(sts_server_t *server, const char *lsu_name, sts_lsu_info_t *info);
int stsp_create_lsu(sts_server_t *server, const char *lsu_name); /* STS_EEXIST when it is there */
int stsp_label_lsu(sts_server_t *server, const char *lsu_name, const char *label);

/* ---- images ------------------------------------------------------------------------------------------------------------ */

/*
 * Makes a pending image and opens it for write. STS_EEXIST when the key exists, pending or complete.
 * `pending_hint` is taken and ignored.
 */
int stsp_create_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int pending_hint,
                      sts_image_t **image);

/*
 * STS_MODE_READ: a complete image. STS_MODE_WRITE: a pending image, to be continued at or below its durable size
 * (see stsp_get_image_prop). A complete image is never opened for write: STS_ESTATE. Held by a writer: STS_EBUSY.
 */
int stsp_open_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int mode,
                    sts_image_t **image);

/*
 * Copies `length` bytes (> 0, multiple of STS_BLOCK_SIZE) at image offset `offset` (multiple of STS_BLOCK_SIZE) into a
 * slot; `buffer` is the caller's again on return. Any order of offsets; a range may be rewritten until close. A failure
 * of earlier data is returned once, here, by flush or by close; after it every write, flush and complete close fails.
 * `*written` (or NULL) = length on success, else 0. `stat` is ignored and may be NULL.
 */
int stsp_write_image(sts_image_t *image, const void *stat, const void *buffer, sts_uint64_t length,
                     sts_uint64_t offset, sts_uint64_t *written);

/*
 * Reads up to `length` bytes at any `offset`, verified against the image's sums. `*got` is smaller than length only at
 * the end of the image, 0 at or behind it. A range that holds a damaged byte fails with STS_EDAMAGED as a whole.
 */
int stsp_read_image(sts_image_t *image, void *buffer, sts_uint64_t length, sts_uint64_t offset, sts_uint64_t *got);

/* All that was written is durable when this returns STS_EOK. STS_EINVAL when a range below the end was never written. */
int stsp_flush_image(sts_image_t *image);

/*
 * STS_CLOSEF_IH_COMPLETE: the image is complete and durable when this returns STS_EOK. Without it: durable, pending, to
 * be continued. Of a handle for reading the flags are ignored. Always frees the handle.
 */
int stsp_close_image(sts_image_t *image, int flags);

/* Opaque metadata, ≤ STS_MAX_METADATA in all; durable with flush and close; write only while pending and open for it. */
int stsp_write_image_meta(sts_image_t *image, const void *buffer, sts_uint32_t length, sts_uint32_t offset,
                          sts_uint32_t *written);
int stsp_read_image_meta(sts_image_t *image, void *buffer, sts_uint32_t length, sts_uint32_t offset,
                         sts_uint32_t *got);

int stsp_get_image_prop(sts_image_t *image, sts_image_info_t *info);
int stsp_get_image_prop_byname(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def,
                               sts_image_info_t *info);

/* STS_EBUSY while a writer holds it. Readers that have it open go on. Durable on return. `async_flag` is ignored. */
int stsp_delete_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int async_flag);

/*
 * Copies a complete image inside the storage server. The new image is pending until all is done, then complete.
 * `*method` (or NULL): STS_COPY_*.
 */
int stsp_copy_image(sts_server_t *server, const char *to_lsu, const sts_image_def_t *to, const char *from_lsu,
                    const sts_image_def_t *from, sts_uint32_t *method);

/* `states`: STS_LIST_* bits, 0 = all. An image that exists throughout is listed exactly once. */
int stsp_open_image_list(sts_server_t *server, const char *lsu_name, sts_uint32_t states, sts_image_list_t **list);
int stsp_list_image(sts_image_list_t *list, sts_image_def_t *def); /* STS_ENOENT at the end */
int stsp_close_image_list(sts_image_list_t *list);

#ifdef __cplusplus
}
#endif
#endif
