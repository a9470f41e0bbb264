#include "report.h"

#include <errno.h>
#include <string.h>

#include "status.h"

bool report_open(struct report *report, const struct options *options, bool data_on_stdout) {
  *report = (struct report){.options = options, .json = {.out = data_on_stdout ? stderr : stdout}};
  if (options->result == NULL) return true;
  report->json.out = fopen(options->result, "we");
  if (report->json.out != NULL) return true;
  fprintf(stderr, "vast-ost-host %s: cannot create %s: %s; give another file to --result\n", options->command->name,
          options->result, strerror(errno));
  return false;
}

void report_members(struct report *report, const struct outcome *outcome) {
  struct json *json = &report->json;
  if (!report->options->json) return;
  json_text(json, "command", report->options->command->name);
  json_bool(json, "ok", outcome->status == STS_EOK);
  json_integer(json, "status", outcome->status);
  json_text(json, "name", status_name(outcome->status));
  json_text(json, "text", outcome->text);
}

void report_begin(struct report *report, const struct outcome *outcome) {
  if (report->options->json) json_open(&report->json, NULL, '{');
  report_members(report, outcome);
}

int report_end(struct report *report, const struct outcome *outcome) {
  if (report->options->json) {
    json_close(&report->json, '}');
    json_end(&report->json);
  }
  bool lost = fflush(report->json.out) != 0 || ferror(report->json.out) != 0;
  if (report->json.out != stdout && report->json.out != stderr) lost = fclose(report->json.out) != 0 || lost;
  if (outcome->status != STS_EOK) {
    fprintf(stderr, "status %d (%s): %s\n", outcome->status, status_name(outcome->status), outcome->text);
    return EXIT_FAILED;
  }
  if (lost) {
    fprintf(stderr, "status %d (%s): the result could not be written: %s\n", HOST_FAILED, status_name(HOST_FAILED),
            strerror(errno));
    return EXIT_FAILED;
  }
  return EXIT_DONE;
}

void report_name(FILE *out, const char *name) {
  for (const unsigned char *at = (const unsigned char *)name; *at != '\0'; at++) {
    if (*at > 0x20 && *at < 0x7f && *at != '\\') {
      fputc(*at, out);
    } else {
      fprintf(out, "\\x%02x", *at);
    }
  }
}

double report_gigabytes_per_second(uint64_t bytes, uint64_t ns) { return ns == 0 ? 0 : (double)bytes / (double)ns; }
