#include "series.h"

#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

static void coarsen(struct series *series) {
  for (unsigned i = 0; i < SERIES_BINS / 2; i++) series->bytes[i] = series->bytes[2 * i] + series->bytes[2 * i + 1];
  memset(series->bytes + SERIES_BINS / 2, 0, sizeof series->bytes / 2);
  series->seconds *= 2;
}

void series_add(struct series *series, uint64_t since_began_ns, uint64_t bytes) {
  if (series->seconds == 0) series->seconds = 1;
  uint64_t second = since_began_ns / SECOND_NS;
  while (second / series->seconds >= SERIES_BINS) coarsen(series);
  series->bytes[second / series->seconds] += bytes;
}

void series_merge(struct series *into, struct series *from) {
  if (from->seconds == 0) return;
  if (into->seconds == 0) into->seconds = 1;
  while (into->seconds < from->seconds) coarsen(into);
  while (from->seconds < into->seconds) coarsen(from);
  for (unsigned i = 0; i < SERIES_BINS; i++) into->bytes[i] += from->bytes[i];
}

void series_report(struct json *json, const struct series *series) {
  unsigned count = SERIES_BINS;
  while (count > 0 && series->bytes[count - 1] == 0) count--;
  json_number(json, "series_bin_s", series->seconds == 0 ? 1 : series->seconds);
  json_open(json, "series", '[');
  for (unsigned i = 0; i < count; i++) json_number(json, NULL, series->bytes[i]);
  json_close(json, ']');
}
