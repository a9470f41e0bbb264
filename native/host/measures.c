#include "measures.h"

void measures_merge(struct measures *into, struct measures *from) {
  for (unsigned kind = 0; kind < CALL_KINDS; kind++) latency_merge(&into->calls[kind], &from->calls[kind]);
  series_merge(&into->series, &from->series);
}

void measures_report(struct json *json, const struct measures *measures) {
  static const char *const names[CALL_KINDS] = {"create", "open", "write", "read", "flush", "close"};
  json_open(json, "latency", '[');
  for (unsigned kind = 0; kind < CALL_KINDS; kind++) {
    if (measures->calls[kind].n > 0) latency_report(json, names[kind], &measures->calls[kind]);
  }
  json_close(json, ']');
  series_report(json, &measures->series);
}
