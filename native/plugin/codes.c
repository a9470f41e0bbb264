/* codes.c: one table of status and words; the numbers of the wire and of the C API are the same, which is asserted. */
#include "codes.h"

#include <stddef.h>

#include "../wire/wire.h"
#include "include/stsp.h"

#define SAME(name) _Static_assert((int)STS_##name == (int)WIRE_##name, "wire.h and stsp.h differ on " #name)
SAME(EINVAL); SAME(ENOMEM); SAME(ENOENT); SAME(EABORT); SAME(ESYSTEM); SAME(ESOCKET); SAME(EINTERNAL); SAME(EPERM);
SAME(ECLAIM); SAME(ECONNECT); SAME(ENOSPC); SAME(EBUSY); SAME(EEXIST); SAME(ENOTMOUNTED); SAME(EDAMAGED);
SAME(EVERSION); SAME(ESTATE); SAME(EGONE); SAME(ENOTSUP);

static const struct {
  uint32_t status;
  const char *text;
} table[] = {
    {STS_EOK, "success"},
    {STS_EINVAL, "an argument is not valid"},
    {STS_ENOMEM, "out of memory"},
    {STS_ENOENT, "no such object, or the end of the list"},
    {STS_EABORT, "given up: the engine is stopping, or the job was ended"},
    {STS_ESYSTEM, "a system call failed"},
    {STS_ESOCKET, "the engine went away"},
    {STS_EINTERNAL, "internal error"},
    {STS_EPERM, "the storage refuses access"},
    {STS_ECLAIM, "not a storage server of this plug-in"},
    {STS_ECONNECT, "no engine answers"},
    {STS_ENOSPC, "no space or quota left"},
    {STS_EBUSY, "in use by somebody else, or short of memory or handles"},
    {STS_EEXIST, "it exists already"},
    {STS_ENOTMOUNTED, "the storage is not mounted"},
    {STS_EDAMAGED, "stored data fails verification"},
    {STS_EVERSION, "versions do not go together"},
    {STS_ESTATE, "not allowed in this state"},
    {STS_EGONE, "the image or the right to write it was taken away"},
    {STS_ENOTSUP, "not supported"},
};

static const char *find(uint32_t status) {
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].status == status) return table[i].text;
  }
  return NULL;
}

bool stsp__status_known(uint32_t status) { return find(status) != NULL; }

const char *stsp__status_text(uint32_t status) {
  const char *text = find(status);
  return text ? text : "unknown status";
}
