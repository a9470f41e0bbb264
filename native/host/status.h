/* status.h: names of statuses and states. */
#ifndef HOST_STATUS_H
#define HOST_STATUS_H

#include "stsp.h"

/* Statuses of this program, beside those of stsp.h. */
enum {
  HOST_FAILED = -1,  /* the host program itself failed: a file of its own, memory */
  HOST_MISMATCH = -2 /* what was read is not what was expected */
};

/* "STS_ENOSPC"; "STS_?" for a number that stsp.h does not know. */
const char *status_name(int status);

/* "complete", "pending", "busy" (pending, held by a writer) or "damaged", from STS_II_* bits; static. */
const char *state_name(sts_uint32_t state);

/* "reflink", "copy_file_range", "lanes" from STS_COPY_*. */
const char *copy_method_name(sts_uint32_t method);

#endif
