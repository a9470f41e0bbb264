/*
 * script.h: the command `script`: single calls of the API from lines on standard input, one JSON line each in answer.
 * Tests drive a real plug-in in a real process with it. `vast-ost-host script --help` prints the grammar (script-help.c).
 *
 *   script.c          the loop and the table of commands      script-reader.c   lines, shared with forked children
 *   script-words.c    words, strings, definitions             script-objects.c  handles by name
 *   script-library.c  init, session, server                   script-lists.c    lists and LSUs
 *   script-process.c  fork, die, signals                      script-table.c    the commands and their help
 *   script-images.c   create, open, close, properties         script-data.c     write, read, metadata
 *   script-repeat.c   many calls in one line, with their times
 */
#ifndef HOST_SCRIPT_H
#define HOST_SCRIPT_H

#include "json.h"
#include "options.h"
#include "plugin-loader.h"

#define SCRIPT_WORDS_MAX 64
#define SCRIPT_LINE_MAX (256u * 1024u)
#define SCRIPT_NAME_MAX 64
#define SCRIPT_OBJECTS_MAX 20000
#define SCRIPT_BUFFER_MAX (UINT64_C(256) << 20)

/* ---- script-reader.c ---- */

struct reader;
struct reader *reader_open(int fd);
/* The next line without its newline, NUL-terminated, good until the next call. NULL: end. `*too_long`: it was cut. */
char *reader_line(struct reader *reader, bool *too_long);
uint64_t reader_line_number(const struct reader *reader); /* of that line, from 1 */

/* ---- script-objects.c ---- */

enum object_kind { OBJECT_SESSION, OBJECT_SERVER, OBJECT_IMAGE, OBJECT_LSU_LIST, OBJECT_IMAGE_LIST };

struct session_object {
  sts_session_t session;
  uint64_t log_lines;
  char last_log[1024];
};

struct object {
  char name[SCRIPT_NAME_MAX];
  enum object_kind kind;
  void *handle; /* of a closed one too: closing twice must be expressible */
  struct session_object *session;
};

/* ---- script.c ---- */

struct words {
  unsigned count;                /* positional ones */
  char *at[SCRIPT_WORDS_MAX];
  unsigned options_count;
  char *options[SCRIPT_WORDS_MAX]; /* "key=value" */
};

struct script {
  const struct options *options;
  struct plugin plugin;
  struct json json; /* into `answer`, a memory stream */
  char *answer;
  size_t answer_length; /* after a flush */
  struct reader *reader;
  bool answered; /* the line has its status */
  bool in_child;
  uint64_t errors; /* lines that were no commands */
  struct object *objects;
  size_t objects_count;
  struct session_object *session; /* of the call under way, or NULL */
  uint64_t began_ns, took_ns; /* took_ns, status: of the last call that was answered */
  int status;
  unsigned char *buffer; /* SCRIPT_BUFFER_MAX bytes and a page before and behind, see script-data.c */
};

struct script_command {
  const char *name;
  const char *usage;   /* arguments as --help shows them */
  const char *options; /* "key key …" that are allowed behind them */
  unsigned least, most;
  bool raw; /* gets all behind its name as one word */
  void (*run)(struct script *script, const struct words *words);
  const char *help;
};

extern const struct script_command script_commands[];
extern const size_t script_commands_count;
void script_help(FILE *out);

/* Answers that the line is wrong (status -1). Always false. */
bool script_error(struct script *script, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Around each call of the API: the session's old text is cleared, the time taken, status and text are answered. */
void script_call_begins(struct script *script, struct session_object *session);
void script_call_ended(struct script *script, int status);
/* For lines that make several calls: nanoseconds since the last began, and the answer at the end. */
uint64_t script_call_took(const struct script *script);
void script_call_answer(struct script *script, int status, uint64_t ns);

/* Runs one command from text, which is taken apart; its members go into the answer that is open. */
void script_run(struct script *script, char *text);

/* Closes the answer and writes it to standard output. */
void script_send(struct script *script);

/* Answers that the line was carried out, where no call of the API was made. */
void script_done(struct script *script);

/* ---- script-words.c: each is false when the word is wrong, and then it is answered ---- */

bool words_number(struct script *script, const char *word, uint64_t *value);
/* STRING: null → NULL, "" → empty, hex:…, text:…, else itself. `*length` (or NULL): bytes, zeros inside too. */
bool words_string(struct script *script, char *word, char **value, size_t *length);
/* Positional words `first` (name) and `first + 1` (date), and the options policy= … opaque_length=; `null`: *def = NULL. */
bool words_def(struct script *script, const struct words *words, unsigned first, sts_image_def_t *space,
               sts_image_def_t **def);
const char *words_option(const struct words *words, const char *key);
bool words_option_number(struct script *script, const struct words *words, const char *key, uint64_t *value);
bool words_is_null(const struct words *words, const char *key); /* key=null */

/* ---- script-objects.c ---- */

/* The handle of that name and its session; "null": both NULL. False: answered. */
bool object_get(struct script *script, enum object_kind kind, const char *name, void **handle,
                struct session_object **session);
/* Keeps a handle under a name, instead of an older one of that name. False: answered. */
bool object_put(struct script *script, enum object_kind kind, const char *name, void *handle,
                struct session_object *session);
void objects_free(struct script *script);

#endif
