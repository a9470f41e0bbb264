/* options.h: the command line. One table (option-table.c) makes parsing and --help. */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "stsp.h"

#define UNSET UINT64_MAX /* of a number that was not given */
#define INPUTS_MAX 1024
#define STREAMS_MAX 1024
#define THINK_US_MAX 60000000u

struct options;

/* Exit codes of the program. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
  const char *name;
  const char *arguments; /* as the usage line shows them */
  const char *summary;
  const char *details; /* paragraphs of --help, or NULL */
  int (*run)(const struct options *options);
  unsigned positionals_max;
  bool date_is_now; /* --date may be left out */
  unsigned bit; /* in option.commands */
};

struct options {
  const struct command *command;
  const char *positionals[INPUTS_MAX];
  size_t positionals_count;

  /* common */
  const char *plugin, *config, *server, *lsu, *job, *result;
  bool json, verbose, progress, help;

  /* the image */
  const char *image, *image_hex, *policy, *schedule, *client, *opaque, *opaque_hex;
  uint64_t date;
  const char *to_lsu, *to_image;
  uint64_t to_date;

  /* moving data */
  uint64_t buffer_bytes, streams, generate_bytes, seed, dedup, compress; /* the last two in thousandths */
  bool create_lsu, resume, hold, raw, discard;
  uint64_t incomplete_at, die_at, hold_at, flush_every, random_writes_seed;
  const char *output, *compare;
  uint64_t rate, think_us;
  uint64_t offset, length, verify_seed, random_reads, read_max, read_bytes;

  /* the rest */
  const char *state, *label, *text;
  bool details_too, count_only;
};

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_BYTES, OPTION_RATIO };

struct option {
  const char *name;
  const char *argument; /* as --help shows it; NULL for a flag */
  enum option_kind kind;
  size_t member; /* offset in struct options */
  unsigned commands;
  const char *help;
};

extern const struct command commands[];
extern const size_t commands_count;
extern const struct option option_table[];
extern const size_t option_table_count;

/* Parses argv behind the command's name. False: said on stderr, with the next step. */
bool options_parse(struct options *options, const struct command *command, int argc, char **argv);

/*
 * The image that --image and --date name; stream 0: the name as it stands, else with "_S<stream>" behind.
 * False: said on stderr.
 */
bool options_image(const struct options *options, uint64_t stream, sts_image_def_t *def);

void help_program(FILE *out);
void help_command(FILE *out, const struct command *command);

#endif
