/*
 * fake.h: a stand-in for the plug-in, for tests of the host program only: images are plain files below $FAKE_STORE, no
 * engine, nothing durable, nothing verified. It keeps to the plain promises of stsp.h.
 *
 * $FAKE_FAULT plants one misbehaviour: "CALL N STATUS" (the N-th CALL of the process returns STATUS; CALL is write, read,
 * flush, close, open, create, meta), "flip OFFSET" (reads give that byte inverted), "short" (reads give one byte less
 * without a failure), "overrun" (reads touch the byte behind the buffer), "lose" (writes take all and say half).
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>

#include "stsp.h"

/* What the file `info` of an image holds. */
struct fake_info {
  sts_image_def_t def;
  uint64_t durable;
  uint32_t complete;
  uint32_t metadata_length;
  unsigned char metadata[STS_MAX_METADATA];
};

struct sts_server {
  sts_session_t *session;
  char name[STS_MAX_STSNAME];
};

/* fake-store.c: all return a status and put a text into session->error */
int fake_fail(sts_session_t *session, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fake_fail_errno(sts_session_t *session, const char *path);
int fake_lsu_path(sts_session_t *session, const char *lsu, char *path, size_t size); /* STS_ENOENT: no such LSU */
int fake_image_path(sts_session_t *session, const char *lsu, const sts_image_def_t *def, char *path, size_t size);
int fake_info_read(sts_session_t *session, const char *directory, struct fake_info *info);
int fake_info_write(sts_session_t *session, const char *directory, const struct fake_info *info);
bool fake_is_busy(const char *directory);
int fake_set_busy(sts_session_t *session, const char *directory, bool busy);
uint64_t fake_size(const char *directory); /* of the file `data` */
void fake_describe(const char *directory, const struct fake_info *info, sts_image_info_t *out);

/* STS_EOK, or the status that $FAKE_FAULT wants for this call. */
int fake_fault(sts_session_t *session, const char *call);
/* The number of "NAME NUMBER" in $FAKE_FAULT. */
bool fake_fault_number(const char *name, uint64_t *number);

#endif
