/* measures.h: what one stream measured of its calls: a latency histogram for each kind, and bytes over time. */
#ifndef HOST_MEASURES_H
#define HOST_MEASURES_H

#include "latency.h"
#include "series.h"

enum call_kind { CALL_CREATE, CALL_OPEN, CALL_WRITE, CALL_READ, CALL_FLUSH, CALL_CLOSE, CALL_KINDS };

struct measures {
  struct latency calls[CALL_KINDS];
  struct series series;
};

void measures_merge(struct measures *into, struct measures *from);

/* "latency" with the kinds that were called, "series_bin_s" and "series", in the object that is open. */
void measures_report(struct json *json, const struct measures *measures);

#endif
