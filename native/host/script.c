/* script.c: the loop: read a line, find its command, run it, answer. */
#include "script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "status.h"

#define BLANKS " \t\r"

bool script_error(struct script *script, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  script->errors++;
  if (script->answered) { /* the call was made, but what came of it cannot be kept */
    json_text(&script->json, "script_error", text);
    return false;
  }
  script->answered = true;
  json_integer(&script->json, "status", HOST_FAILED);
  json_text(&script->json, "name", "SCRIPT");
  json_text(&script->json, "text", text);
  return false;
}

void script_call_begins(struct script *script, struct session_object *session) {
  script->session = session;
  if (session != NULL) memset(session->session.error, 0, sizeof session->session.error);
  script->began_ns = clock_ns();
}

uint64_t script_call_took(const struct script *script) { return clock_ns() - script->began_ns; }

void script_call_ended(struct script *script, int status) {
  script_call_answer(script, status, script_call_took(script));
}

void script_call_answer(struct script *script, int status, uint64_t ns) {
  struct json *json = &script->json;
  script->answered = true;
  script->status = status;
  script->took_ns = ns;
  json_integer(json, "status", status);
  json_text(json, "name", status_name(status));
  /* After a success the text says nothing; a list's last text, for one, is about its end. */
  const char *text = status == STS_EOK || script->session == NULL ? NULL : script->session->session.error;
  size_t length = text == NULL ? 0 : strnlen(text, STS_MAX_ERROR);
  json_bytes(json, "text", text, length);
  if (length == STS_MAX_ERROR) json_bool(json, "unterminated", true);
  json_decimal(json, "us", (double)ns / 1000);
}

void script_done(struct script *script) {
  script->answered = true;
  json_integer(&script->json, "status", STS_EOK);
  json_text(&script->json, "name", "STS_EOK");
  json_text(&script->json, "text", "");
}

static const struct script_command *find_command(const char *name) {
  for (size_t i = 0; i < script_commands_count; i++) {
    if (strcmp(script_commands[i].name, name) == 0) return &script_commands[i];
  }
  return NULL;
}

/* "key=" with a key of small letters and _: an option; all else is positional. */
static size_t key_length(const char *word) {
  size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz_");
  return length > 0 && word[length] == '=' ? length : 0;
}

static bool split(struct script *script, char *line, struct words *words) {
  char *rest = NULL;
  for (char *word = strtok_r(line, BLANKS, &rest); word != NULL; word = strtok_r(NULL, BLANKS, &rest)) {
    bool option = key_length(word) > 0;
    unsigned *count = option ? &words->options_count : &words->count;
    if (*count == SCRIPT_WORDS_MAX) return script_error(script, "more than %d words", SCRIPT_WORDS_MAX);
    if (option) {
      words->options[(*count)++] = word;
    } else {
      words->at[(*count)++] = word;
    }
  }
  return true;
}

static bool option_allowed(const char *allowed, const char *option) {
  size_t length = key_length(option);
  for (const char *at = allowed; *at != '\0';) {
    size_t word = strcspn(at, " ");
    if (word == length && strncmp(at, option, length) == 0) return true;
    at += word;
    at += strspn(at, " ");
  }
  return false;
}

static bool check(struct script *script, const struct script_command *command, const struct words *words) {
  if (words->count < command->least || words->count > command->most) {
    return script_error(script, "usage: %s %s", command->name, command->usage);
  }
  for (unsigned i = 0; i < words->options_count; i++) {
    if (!option_allowed(command->options, words->options[i])) {
      return script_error(script, "%s does not take %.*s=; it takes: %s", command->name,
                          (int)key_length(words->options[i]), words->options[i], command->options);
    }
  }
  return true;
}

void script_run(struct script *script, char *text) {
  struct words words = {.count = 0};
  char *name = text + strspn(text, BLANKS);
  char *behind = name + strcspn(name, BLANKS);
  if (*behind != '\0') *behind++ = '\0';
  const struct script_command *command = find_command(name);
  if (command == NULL) {
    script_error(script, "no command %s; see script --help", name);
  } else if (command->raw) {
    words.count = 1;
    words.at[0] = behind;
    command->run(script, &words);
  } else if (split(script, behind, &words) && check(script, command, &words)) {
    command->run(script, &words);
  }
  if (!script->answered) script_error(script, "%s gave no answer", name);
}

static void run_line(struct script *script, char *line, bool too_long) {
  const char *name = line + strspn(line, BLANKS);
  if (*name == '\0' || *name == '#') return;
  script->answered = false;
  json_open(&script->json, NULL, '{');
  json_number(&script->json, "line", reader_line_number(script->reader));
  json_bytes(&script->json, "command", name, too_long ? 0 : strcspn(name, BLANKS));
  if (too_long) {
    script_error(script, "a line is longer than %u bytes", SCRIPT_LINE_MAX);
  } else {
    script_run(script, line);
  }
  script_send(script);
}

/*
 * Answers are made in memory and written here: stdio loses what a signal interrupts (see `timer`), and a fork in the
 * middle of an answer gives both sides their own copy of its beginning.
 */
void script_send(struct script *script) {
  json_close(&script->json, '}');
  json_end(&script->json);
  for (size_t done = 0; done < script->answer_length;) {
    ssize_t count = write(STDOUT_FILENO, script->answer + done, script->answer_length - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) _exit(EXIT_FAILED); /* nobody reads answers any more */
    done += (size_t)count;
  }
  rewind(script->json.out);
}

int run_script(const struct options *options) {
  char error[STS_MAX_ERROR];
  struct script script = {.options = options, .reader = reader_open(STDIN_FILENO)};
  script.json.out = open_memstream(&script.answer, &script.answer_length);
  if (script.reader == NULL || script.json.out == NULL) {
    fputs("vast-ost-host script: no memory\n", stderr);
    return EXIT_FAILED;
  }
  if (!plugin_load(&script.plugin, options->plugin, error, sizeof error)) {
    fprintf(stderr, "vast-ost-host script: %s\n", error);
    return EXIT_FAILED;
  }
  bool too_long = false;
  for (char *line; (line = reader_line(script.reader, &too_long)) != NULL;) run_line(&script, line, too_long);
  if (script.in_child) _exit(script.errors == 0 ? EXIT_DONE : EXIT_USAGE);
  objects_free(&script);
  plugin_unload(&script.plugin);
  fclose(script.json.out);
  free(script.answer);
  return script.errors == 0 ? EXIT_DONE : EXIT_USAGE;
}
