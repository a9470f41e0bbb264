#include <string.h>

#include "numbers.h"
#include "script.h"

bool words_number(struct script *script, const char *word, uint64_t *value) {
  return parse_bytes(word, value) || script_error(script, "%s is no number", word);
}

bool words_string(struct script *script, char *word, char **value, size_t *length) {
  size_t bytes = 0;
  *value = NULL;
  if (strcmp(word, "null") == 0) {
    /* NULL stays */
  } else if (strcmp(word, "\"\"") == 0) {
    *value = word + 2;
  } else if (strncmp(word, "text:", 5) == 0) {
    *value = word + 5;
    bytes = strlen(*value);
  } else if (strncmp(word, "hex:", 4) == 0) {
    size_t digits = strlen(word + 4);
    /* Decoded in place: two digits become one byte, never ahead of the reading. */
    if (!parse_hex(word + 4, digits, (unsigned char *)word, digits / 2, &bytes)) {
      return script_error(script, "no pairs of hex digits behind hex:");
    }
    word[bytes] = '\0';
    *value = word;
  } else {
    *value = word;
    bytes = strlen(word);
  }
  if (length != NULL) *length = bytes;
  return true;
}

const char *words_option(const struct words *words, const char *key) {
  size_t length = strlen(key);
  for (unsigned i = 0; i < words->options_count; i++) {
    if (strncmp(words->options[i], key, length) == 0 && words->options[i][length] == '=') {
      return words->options[i] + length + 1;
    }
  }
  return NULL;
}

bool words_option_number(struct script *script, const struct words *words, const char *key, uint64_t *value) {
  const char *word = words_option(words, key);
  return word == NULL || words_number(script, word, value);
}

bool words_is_null(const struct words *words, const char *key) {
  const char *word = words_option(words, key);
  return word != NULL && strcmp(word, "null") == 0;
}

/* Bytes into an array of the struct; exactly as many as fit may be given, and then no NUL is behind them. */
static bool take_field(struct script *script, const char *what, const char *word, void *array, size_t size,
                       size_t *taken) {
  char copy[SCRIPT_LINE_MAX / 8], *value = NULL;
  size_t length = 0;
  if (word == NULL) return true;
  if (strlen(word) >= sizeof copy) return script_error(script, "%s is longer than its %zu bytes", what, size);
  strcpy(copy, word);
  if (!words_string(script, copy, &value, &length)) return false;
  if (length > size) return script_error(script, "%s is longer than its %zu bytes", what, size);
  if (length > 0) memcpy(array, value, length);
  if (taken != NULL) *taken = length;
  return true;
}

bool words_def(struct script *script, const struct words *words, unsigned first, sts_image_def_t *space,
               sts_image_def_t **def) {
  const char *name = words->at[first];
  uint64_t opaque_length = 0;
  size_t opaque = 0;
  memset(space, 0, sizeof *space);
  *def = strcmp(name, "null") == 0 ? NULL : space;
  if (!take_field(script, "the name", name, space->img_basename, sizeof space->img_basename, NULL) ||
      !words_number(script, words->at[first + 1], &space->img_date) ||
      !take_field(script, "policy", words_option(words, "policy"), space->img_policy, sizeof space->img_policy, NULL) ||
      !take_field(script, "schedule", words_option(words, "schedule"), space->img_schedule, sizeof space->img_schedule,
                  NULL) ||
      !take_field(script, "client", words_option(words, "client"), space->img_client, sizeof space->img_client, NULL) ||
      !take_field(script, "opaque", words_option(words, "opaque"), space->img_opaque, sizeof space->img_opaque, &opaque)) {
    return false;
  }
  opaque_length = opaque;
  if (!words_option_number(script, words, "opaque_length", &opaque_length)) return false;
  space->img_opaque_length = (sts_uint32_t)opaque_length;
  return true;
}
