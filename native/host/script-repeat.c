/* script-repeat.c: many calls in one line, and how long each took: for benches and for looking at leaks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "numbers.h"
#include "script-calls.h"
#include "words.h"

#define COUNT_MAX 1000000u
#define SMALL_IMAGE_MAX (64u << 20)

static int compare_ns(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

/* Sorts `ns`. */
static void answer_times(struct json *json, uint64_t *ns, uint64_t count) {
  uint64_t total = 0;
  if (count == 0) return;
  for (uint64_t i = 0; i < count; i++) total += ns[i];
  qsort(ns, count, sizeof *ns, compare_ns);
  json_decimal(json, "total_us", (double)total / 1000);
  json_decimal(json, "min_us", (double)ns[0] / 1000);
  json_decimal(json, "p50_us", (double)ns[count / 2] / 1000);
  json_decimal(json, "p90_us", (double)ns[count * 9 / 10] / 1000);
  json_decimal(json, "p99_us", (double)ns[count * 99 / 100] / 1000);
  json_decimal(json, "p999_us", (double)ns[count * 999 / 1000] / 1000);
  json_decimal(json, "max_us", (double)ns[count - 1] / 1000);
}

static uint64_t *take_times(struct script *script, uint64_t count) {
  if (count == 0 || count > COUNT_MAX) {
    script_error(script, "COUNT is 1 to %u", COUNT_MAX);
    return NULL;
  }
  uint64_t *ns = calloc(count, sizeof *ns);
  if (ns == NULL) script_error(script, "no memory");
  return ns;
}

/* `text` with each "%d" replaced by `number`. False: too long. */
static bool numbered(const char *text, uint64_t number, char *out, size_t size) {
  size_t used = 0;
  while (*text != '\0') {
    if (used + 24 > size) return false;
    if (text[0] == '%' && text[1] == 'd') {
      used += (size_t)snprintf(out + used, size - used, "%" PRIu64, number);
      text += 2;
    } else {
      out[used++] = *text++;
    }
  }
  out[used] = '\0';
  return true;
}

/* fork and its like change who answers; they cannot be inside. */
static bool may_repeat(const char *text) {
  static const char *const never[] = {"repeat", "fork", "end_fork", "fork_idle", "exit", "die"};
  size_t length = strcspn(text, " \t\r");
  for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
    if (strlen(never[i]) == length && strncmp(text, never[i], length) == 0) return false;
  }
  return length > 0;
}

void script_repeat(struct script *script, const struct words *words) {
  char *count_word = strtok(words->at[0], " \t\r");
  char *command = strtok(NULL, "");
  uint64_t count = 0;
  if (count_word == NULL || command == NULL || !parse_number(count_word, &count)) {
    script_error(script, "usage: repeat COUNT COMMAND…");
    return;
  }
  command += strspn(command, " \t\r");
  if (!may_repeat(command)) {
    script_error(script, "that cannot be repeated: %s", command);
    return;
  }
  uint64_t *ns = take_times(script, count), done = 0;
  char *line = malloc(SCRIPT_LINE_MAX);
  long begin = ftell(script->json.out);
  while (ns != NULL && line != NULL && done < count) {
    fseek(script->json.out, begin, SEEK_SET); /* the answer of the run before is overwritten */
    script->answered = false;
    script->status = STS_EOK;
    script->took_ns = 0;
    uint64_t errors = script->errors;
    if (numbered(command, done, line, SCRIPT_LINE_MAX)) {
      script_run(script, line);
    } else {
      script_error(script, "the line becomes too long");
    }
    ns[done] = script->took_ns;
    if (script->status != STS_EOK || script->errors != errors) break;
    done++;
  }
  if (!script->answered) script_error(script, "no memory");
  json_number(&script->json, "repeated", done);
  answer_times(&script->json, ns, done);
  free(line);
  free(ns);
}

/* One image from create to close; *status is the first failure. A failed image is closed incomplete. */
static void one_image(struct script *script, sts_server_t *server, const char *lsu, const sts_image_def_t *def,
                      const void *bytes, uint64_t length, int *status) {
  sts_image_t *image = NULL;
  sts_uint64_t written = 0;
  *status = script->plugin.create_image(server, lsu, def, 0, &image);
  if (*status != STS_EOK) return;
  if (length > 0) *status = script->plugin.write_image(image, NULL, bytes, length, 0, &written);
  if (*status == STS_EOK) {
    *status = script->plugin.close_image(image, STS_CLOSEF_IH_COMPLETE);
  } else {
    char first[STS_MAX_ERROR]; /* the text of the failure that counts */
    memcpy(first, script->session->session.error, sizeof first);
    script->plugin.close_image(image, STS_CLOSEF_IH_INCOMPLETE);
    memcpy(script->session->session.error, first, sizeof first);
  }
}

void script_images(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL, *prefix = NULL;
  uint64_t first = 0, count = 0, length = 0, seed = 0, date = 1;
  bool zero = strcmp(words->at[6], "zero") == 0;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) ||
      !words_string(script, words->at[1], &lsu, NULL) || !words_string(script, words->at[2], &prefix, NULL) ||
      !words_number(script, words->at[3], &first) || !words_number(script, words->at[4], &count) ||
      !words_number(script, words->at[5], &length) || !words_option_number(script, words, "date", &date) ||
      (!zero && !words_number(script, words->at[6], &seed))) {
    return;
  }
  if (server == NULL || prefix == NULL || length > SMALL_IMAGE_MAX) {
    script_error(script, "images needs a server, a PREFIX and a LENGTH of at most 64M");
    return;
  }
  uint64_t *ns = take_times(script, count), done = 0;
  if (ns == NULL) return;
  void *bytes = calloc(1, length + 1);
  int status = bytes == NULL ? STS_ENOMEM : STS_EOK;
  if (!zero && bytes != NULL) words_fill(seed, 0, bytes, length);
  script_call_begins(script, session);
  while (status == STS_EOK && done < count) {
    sts_image_def_t def;
    memset(&def, 0, sizeof def);
    snprintf(def.img_basename, sizeof def.img_basename, "%s%" PRIu64, prefix, first + done);
    def.img_date = date;
    uint64_t began = clock_ns();
    one_image(script, server, lsu, &def, bytes, length, &status);
    ns[done] = clock_ns() - began;
    if (status == STS_EOK) done++;
  }
  script_call_ended(script, status);
  json_number(&script->json, "done", done);
  answer_times(&script->json, ns, done);
  free(bytes);
  free(ns);
}
