/* report.h: where results go, and in which shape: a readable line, or one JSON line with --json. */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include <stdio.h>

#include "json.h"
#include "session.h"

struct report {
  struct json json; /* json.out is the stream for readable text too */
  const struct options *options;
};

/*
 * Opens --result FILE, else standard output; standard error when data goes to standard output.
 * False: said on stderr.
 */
bool report_open(struct report *report, const struct options *options, bool data_on_stdout);

/* With --json: "command", "ok", "status", "name", "text" in the object that is open. Else nothing. */
void report_members(struct report *report, const struct outcome *outcome);

/* With --json: opens the object, and these members. Else nothing. */
void report_begin(struct report *report, const struct outcome *outcome);

/* Ends the JSON line if there is one, prints a failure on stderr, closes; returns the exit code. */
int report_end(struct report *report, const struct outcome *outcome);

/* Any bytes as a terminal can show them: what is no printable ASCII becomes \xXX. */
void report_name(FILE *out, const char *name);

double report_gigabytes_per_second(uint64_t bytes, uint64_t ns);

#endif
