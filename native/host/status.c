#include "status.h"

#include <stddef.h>

static const struct {
  int status;
  const char *name;
} names[] = {
    {STS_EOK, "STS_EOK"},
    {STS_EINVAL, "STS_EINVAL"},
    {STS_ENOMEM, "STS_ENOMEM"},
    {STS_ENOENT, "STS_ENOENT"},
    {STS_EABORT, "STS_EABORT"},
    {STS_ESYSTEM, "STS_ESYSTEM"},
    {STS_ESOCKET, "STS_ESOCKET"},
    {STS_EINTERNAL, "STS_EINTERNAL"},
    {STS_EPERM, "STS_EPERM"},
    {STS_ECLAIM, "STS_ECLAIM"},
    {STS_ECONNECT, "STS_ECONNECT"},
    {STS_ENOSPC, "STS_ENOSPC"},
    {STS_EBUSY, "STS_EBUSY"},
    {STS_EEXIST, "STS_EEXIST"},
    {STS_ENOTMOUNTED, "STS_ENOTMOUNTED"},
    {STS_EDAMAGED, "STS_EDAMAGED"},
    {STS_EVERSION, "STS_EVERSION"},
    {STS_ESTATE, "STS_ESTATE"},
    {STS_EGONE, "STS_EGONE"},
    {STS_ENOTSUP, "STS_ENOTSUP"},
    {HOST_FAILED, "HOST_FAILED"},
    {HOST_MISMATCH, "HOST_MISMATCH"},
};

const char *status_name(int status) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].status == status) return names[i].name;
  }
  return "STS_?";
}

const char *state_name(sts_uint32_t state) {
  if (state & STS_II_DAMAGED) return "damaged";
  if (state & STS_II_IMAGE_CREATED) return "complete";
  if (state & STS_II_BUSY_WRITE) return "busy";
  if (state & STS_II_IMAGE_PENDING) return "pending";
  return "unknown";
}

const char *copy_method_name(sts_uint32_t method) {
  switch (method) {
    case STS_COPY_REFLINK:
      return "reflink";
    case STS_COPY_RANGE:
      return "copy_file_range";
    case STS_COPY_LANES:
      return "lanes";
    default:
      return "unknown";
  }
}
