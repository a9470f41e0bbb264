/* fuzz-config.c: any bytes as a configuration file: refused with a line that is there, or taken in pieces of the file. */
#include <stdlib.h>
#include <string.h>

#include "../config.h"
#include "../ini.h"
#include "fuzz.h"

struct seen {
  const char *begin;
  const char *end;
  size_t keys;
};

static void within(const struct seen *seen, struct stsp__span span) {
  MUST(span.at >= seen->begin && span.length <= (size_t)(seen->end - span.at));
}

static const char *each(void *context, struct stsp__span section, struct stsp__span key, struct stsp__span value) {
  struct seen *seen = context;
  within(seen, section);
  MUST(section.length > 0);
  if (!key.at) return NULL;
  within(seen, key);
  within(seen, value);
  MUST(key.length > 0 && value.length <= STSP_INI_LINE_MAX);
  MUST(!memchr(value.at, '\n', value.length) && !memchr(value.at, 0, value.length));
  seen->keys++;
  return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
  struct seen seen = {(const char *)bytes, (const char *)bytes + length, 0};
  struct stsp__config config;
  const char *what = NULL, *other = NULL;
  unsigned lines = 1;
  for (size_t i = 0; i < length; i++) lines += bytes[i] == '\n';
  unsigned wrong = stsp__ini_parse(seen.begin, length, each, &seen, &what);
  MUST(wrong <= lines && (wrong == 0 || what != NULL) && seen.keys <= STSP_INI_KEYS_MAX);
  unsigned wrong_value = stsp__config_parse(seen.begin, length, &config, &other);
  MUST(wrong_value <= lines && (wrong == 0 || (wrong_value != 0 && wrong_value <= wrong)));
  MUST(memchr(config.socket, 0, sizeof config.socket) && config.socket[0] == '/');
  MUST(config.connect_wait_s <= STSP_CONNECT_WAIT_MAX_S);
  return 0;
}
