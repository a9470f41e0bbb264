/*
 * series.h: bytes moved over time, in bins of a second. When the bins are full, two and two become one: a run of any
 * length fits, at half the resolution.
 */
#ifndef HOST_SERIES_H
#define HOST_SERIES_H

#include <stdint.h>

#include "json.h"

#define SERIES_BINS 1024u

struct series {
  uint64_t seconds; /* of a bin, a power of two; 0: nothing was added */
  uint64_t bytes[SERIES_BINS];
};

void series_add(struct series *series, uint64_t since_began_ns, uint64_t bytes);
void series_merge(struct series *into, struct series *from); /* `from` may become coarser */

/* "series_bin_s" and "series" as members of the object that is open; up to the last bin that is not empty. */
void series_report(struct json *json, const struct series *series);

#endif
