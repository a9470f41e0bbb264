/* check.c: names and definitions. Only lengths are judged here; what a name may mean is the engine's to say. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine-link.h"
#include "log.h"

_Static_assert(STS_MAX_IMAGENAME == WIRE_BASENAME_MAX && STS_MAX_LSUNAME == WIRE_LSU_MAX &&
                   STS_MAX_STSNAME == WIRE_SERVER_MAX && STS_MAX_LABEL == WIRE_LABEL_MAX &&
                   STS_MAX_FIELD == WIRE_FIELD_MAX && STS_MAX_JOB == WIRE_JOB_MAX &&
                   STS_MAX_OPAQUE == WIRE_OPAQUE_MAX && STS_MAX_METADATA == WIRE_METADATA_MAX &&
                   STS_BLOCK_SIZE == WIRE_BLOCK_BYTES,
               "the limits of stsp.h are those of wire.h");

int stsp__check_name(sts_session_t *session, const char *what, const char *name, char *out, size_t size) {
  if (!name) return stsp__fail(session, STS_EINVAL, "%s is NULL", what);
  size_t length = strnlen(name, size);
  if (length == 0) return stsp__fail(session, STS_EINVAL, "%s is empty", what);
  if (length == size)
    return stsp__fail(session, STS_EINVAL, "%s is longer than %u bytes", what, (unsigned)(size - 1));
  memset(out, 0, size);
  memcpy(out, name, length);
  return STS_EOK;
}

static int check_field(sts_session_t *session, const char *what, const char *from, char *out) {
  size_t length = strnlen(from, STS_MAX_FIELD);
  if (length == STS_MAX_FIELD) return stsp__fail(session, STS_EINVAL, "the image definition's %s has no NUL", what);
  memcpy(out, from, length);
  return STS_EOK;
}

int stsp__check_def(sts_session_t *session, const sts_image_def_t *def, struct wire_image_def *out) {
  if (!def) return stsp__fail(session, STS_EINVAL, "the image definition is NULL");
  memset(out, 0, sizeof *out);
  size_t length = strnlen(def->img_basename, sizeof def->img_basename);
  if (length == 0) return stsp__fail(session, STS_EINVAL, "the image definition's basename is empty");
  if (length == sizeof def->img_basename)
    return stsp__fail(session, STS_EINVAL, "the image definition's basename is longer than %u bytes",
                      STS_MAX_IMAGENAME - 1);
  if (def->img_date > WIRE_DATE_MAX)
    return stsp__fail(session, STS_EINVAL, "the image definition's date is above %" PRIu64, WIRE_DATE_MAX);
  memcpy(out->basename, def->img_basename, length);
  out->date = def->img_date;
  int status = check_field(session, "policy", def->img_policy, out->policy);
  if (status == STS_EOK) status = check_field(session, "schedule", def->img_schedule, out->schedule);
  if (status == STS_EOK) status = check_field(session, "client", def->img_client, out->client);
  if (status != STS_EOK) return status;
  if (def->img_opaque_length > STS_MAX_OPAQUE)
    return stsp__fail(session, STS_EINVAL, "the image definition's opaque bytes are more than %u", STS_MAX_OPAQUE);
  out->opaque_length = def->img_opaque_length;
  memcpy(out->opaque, def->img_opaque, def->img_opaque_length);
  return STS_EOK;
}

int stsp__check_session(sts_session_t *session) {
  if (!session) return STS_EINVAL;
  if (session->abi_version != STSP_ABI_VERSION)
    return stsp__tell(session, STS_EVERSION, "the host program was built for ABI %u of this plug-in, which has ABI %u",
                      (unsigned)session->abi_version, STSP_ABI_VERSION);
  if (!stsp__terminated(session->job, sizeof session->job))
    return stsp__fail(session, STS_EINVAL, "the session's job name is longer than %u bytes", STS_MAX_JOB - 1);
  return STS_EOK;
}

bool stsp__def_from_wire(const struct wire_image_def *from, sts_image_def_t *out) {
  if (!stsp__terminated(from->basename, sizeof from->basename) || !stsp__terminated(from->policy, WIRE_FIELD_MAX) ||
      !stsp__terminated(from->schedule, WIRE_FIELD_MAX) || !stsp__terminated(from->client, WIRE_FIELD_MAX) ||
      from->opaque_length > WIRE_OPAQUE_MAX)
    return false;
  memset(out, 0, sizeof *out);
  memcpy(out->img_basename, from->basename, sizeof out->img_basename);
  out->img_date = from->date;
  memcpy(out->img_policy, from->policy, sizeof out->img_policy);
  memcpy(out->img_schedule, from->schedule, sizeof out->img_schedule);
  memcpy(out->img_client, from->client, sizeof out->img_client);
  out->img_opaque_length = from->opaque_length;
  memcpy(out->img_opaque, from->opaque, from->opaque_length);
  return true;
}

static const unsigned char *take(char *out, const unsigned char *from, size_t length) {
  memcpy(out, from, length);
  return from + length;
}

size_t stsp__def_from_list(const unsigned char *from, size_t have, sts_image_def_t *out) {
  struct wire_listed entry;
  if (have < sizeof entry) return 0;
  memcpy(&entry, from, sizeof entry);
  size_t used = sizeof entry + entry.basename_length + entry.policy_length + entry.schedule_length +
                entry.client_length + entry.opaque_length;
  size_t bytes = (used + 7) & ~(size_t)7;
  if (bytes > have || entry.basename_length == 0 || entry.basename_length >= WIRE_BASENAME_MAX ||
      entry.opaque_length > WIRE_OPAQUE_MAX)
    return 0;
  memset(out, 0, sizeof *out);
  from = take(out->img_basename, from + sizeof entry, entry.basename_length);
  out->img_date = entry.date;
  from = take(out->img_policy, from, entry.policy_length);
  from = take(out->img_schedule, from, entry.schedule_length);
  from = take(out->img_client, from, entry.client_length);
  out->img_opaque_length = entry.opaque_length;
  memcpy(out->img_opaque, from, entry.opaque_length);
  return bytes;
}

void stsp__describe(char *out, size_t size, const struct wire_image_def *def, const char *lsu) {
  char name[256];
  char where[128];
  stsp__printable(name, sizeof name, def->basename);
  stsp__printable(where, sizeof where, lsu);
  snprintf(out, size, "image %s~%" PRIu64 " in LSU %s", name, def->date, where);
}
