#include <string.h>

#include "report.h"
#include "status.h"
#include "streams.h"

static double seconds(uint64_t ns) { return (double)ns / 1e9; }

/* Seconds in all calls of a kind. */
static double spent(const struct stream *stream, enum call_kind kind) {
  return seconds(stream->measures->calls[kind].sum_ns);
}

static double longest(const struct stream *stream, enum call_kind kind) {
  return seconds(stream->measures->calls[kind].max_ns);
}

/* The image's name and numbers, as members of the object that is open. */
static void members(struct json *json, const struct options *options, const struct stream *stream) {
  uint64_t ns = stream->ended_ns - stream->started_ns, cpu_ns = stream->cpu.user_ns + stream->cpu.system_ns;
  json_text(json, "lsu", options->lsu);
  json_bytes(json, "image", stream->def.img_basename, strlen(stream->def.img_basename));
  json_hex(json, "image_hex", stream->def.img_basename, strlen(stream->def.img_basename));
  json_number(json, "date", stream->def.img_date);
  json_text(json, "state", state_name(stream->state));
  json_number(json, "bytes", stream->bytes);
  json_number(json, "length", stream->length);
  json_number(json, "size", stream->size);
  json_number(json, "offset", stream->offset);
  json_decimal(json, "seconds", seconds(ns));
  json_decimal(json, "gb_per_s", report_gigabytes_per_second(stream->bytes, ns));
  json_decimal(json, "cpu_user_s", seconds(stream->cpu.user_ns));
  json_decimal(json, "cpu_system_s", seconds(stream->cpu.system_ns));
  json_decimal(json, "cpu_s_per_gb", stream->bytes == 0 ? 0 : (double)cpu_ns / (double)stream->bytes);
  json_number(json, "writes", stream->writes);
  json_number(json, "reads", stream->reads);
  json_decimal(json, "connect_s", seconds(stream->connect_ns));
  json_decimal(json, "open_s", spent(stream, CALL_CREATE) + spent(stream, CALL_OPEN));
  json_decimal(json, "write_s", spent(stream, CALL_WRITE));
  json_decimal(json, "write_max_s", longest(stream, CALL_WRITE));
  json_decimal(json, "read_s", spent(stream, CALL_READ));
  json_decimal(json, "read_max_s", longest(stream, CALL_READ));
  json_decimal(json, "flush_s", spent(stream, CALL_FLUSH));
  json_decimal(json, "close_s", spent(stream, CALL_CLOSE));
  json_decimal(json, "file_s", seconds(stream->file_ns));
  json_decimal(json, "pause_s", seconds(stream->pause_ns));
}

static void line(FILE *out, const struct options *options, const struct stream *stream) {
  uint64_t ns = stream->ended_ns - stream->started_ns, cpu_ns = stream->cpu.user_ns + stream->cpu.system_ns;
  double calls = 0;
  for (unsigned kind = 0; kind < CALL_KINDS; kind++) calls += spent(stream, kind);
  fprintf(out, "%s ", options->command->name);
  report_name(out, options->lsu);
  fputc('/', out);
  report_name(out, stream->def.img_basename);
  fprintf(out, " (%llu): ", (unsigned long long)stream->def.img_date);
  if (stream->outcome.status != STS_EOK) {
    fprintf(out, "failed, status %d (%s)\n", stream->outcome.status, status_name(stream->outcome.status));
    return;
  }
  fprintf(out, "%llu bytes, %s, %.3f s, %.2f GB/s, %.2f CPU-s/GB; calls %.3f s (open %.3f, close %.3f), files %.3f s\n",
          (unsigned long long)stream->bytes, state_name(stream->state), seconds(ns),
          report_gigabytes_per_second(stream->bytes, ns),
          stream->bytes == 0 ? 0 : (double)cpu_ns / (double)stream->bytes,
          calls, spent(stream, CALL_CREATE) + spent(stream, CALL_OPEN), spent(stream, CALL_CLOSE), seconds(stream->file_ns));
}

/* Seconds of all streams together: from the first that started to the last that ended. */
static struct stream sum_of(const struct stream *streams, uint64_t count) {
  struct stream sum = {.started_ns = UINT64_MAX};
  for (uint64_t i = 0; i < count; i++) {
    const struct stream *stream = &streams[i];
    sum.bytes += stream->bytes;
    sum.cpu.user_ns += stream->cpu.user_ns;
    sum.cpu.system_ns += stream->cpu.system_ns;
    if (stream->ended_ns == 0) continue;
    if (stream->started_ns < sum.started_ns) sum.started_ns = stream->started_ns;
    if (stream->ended_ns > sum.ended_ns) sum.ended_ns = stream->ended_ns;
  }
  if (sum.ended_ns == 0) sum.started_ns = 0;
  return sum;
}

/* Latencies and series of all streams together, in the first one's place. */
static const struct measures *merged(const struct stream *streams, uint64_t count) {
  for (uint64_t i = 1; i < count; i++) measures_merge(streams[0].measures, streams[i].measures);
  return streams[0].measures;
}

static void totals(struct json *json, const struct stream *streams, uint64_t count) {
  struct stream sum = sum_of(streams, count);
  uint64_t ns = sum.ended_ns - sum.started_ns, cpu_ns = sum.cpu.user_ns + sum.cpu.system_ns;
  json_number(json, "bytes", sum.bytes);
  json_decimal(json, "seconds", seconds(ns));
  json_decimal(json, "gb_per_s", report_gigabytes_per_second(sum.bytes, ns));
  json_decimal(json, "cpu_user_s", seconds(sum.cpu.user_ns));
  json_decimal(json, "cpu_system_s", seconds(sum.cpu.system_ns));
  json_decimal(json, "cpu_s_per_gb", sum.bytes == 0 ? 0 : (double)cpu_ns / (double)sum.bytes);
  json_number(json, "started_ns", sum.started_ns);
  json_number(json, "ended_ns", sum.ended_ns);
}

int streams_report(const struct options *options, const struct stream *streams, uint64_t count, bool data_on_stdout) {
  const struct outcome *outcome = &streams[0].outcome;
  for (uint64_t i = 1; i < count && outcome->status == STS_EOK; i++) outcome = &streams[i].outcome;
  struct report report;
  if (!report_open(&report, options, data_on_stdout)) return EXIT_FAILED;
  bool alone = streams[0].number == 0;
  if (!options->json) {
    for (uint64_t i = 0; i < count; i++) line(report.json.out, options, &streams[i]);
    if (!alone) {
      struct stream sum = sum_of(streams, count);
      uint64_t ns = sum.ended_ns - sum.started_ns;
      fprintf(report.json.out, "%s: %llu streams, %llu bytes, %.3f s, %.2f GB/s together\n", options->command->name,
              (unsigned long long)count, (unsigned long long)sum.bytes, seconds(ns),
              report_gigabytes_per_second(sum.bytes, ns));
    }
    return report_end(&report, outcome);
  }
  report_begin(&report, outcome);
  if (alone) {
    members(&report.json, options, &streams[0]);
    measures_report(&report.json, streams[0].measures);
    return report_end(&report, outcome);
  }
  totals(&report.json, streams, count);
  json_open(&report.json, "streams", '[');
  for (uint64_t i = 0; i < count; i++) {
    json_open(&report.json, NULL, '{');
    json_number(&report.json, "stream", streams[i].number);
    json_integer(&report.json, "status", streams[i].outcome.status);
    json_text(&report.json, "name", status_name(streams[i].outcome.status));
    json_text(&report.json, "text", streams[i].outcome.text);
    members(&report.json, options, &streams[i]);
    json_close(&report.json, '}');
  }
  json_close(&report.json, ']');
  measures_report(&report.json, merged(streams, count));
  return report_end(&report, outcome);
}
