#include "json.h"

#include <inttypes.h>
#include <string.h>

static void member(struct json *json, const char *key) {
  if (json->comma) fputc(',', json->out);
  json->comma = true;
  if (key != NULL) fprintf(json->out, "\"%s\":", key);
}

void json_open(struct json *json, const char *key, char bracket) {
  member(json, key);
  fputc(bracket, json->out);
  json->comma = false;
}

void json_close(struct json *json, char bracket) {
  fputc(bracket, json->out);
  json->comma = true;
}

void json_end(struct json *json) {
  fputc('\n', json->out);
  fflush(json->out);
  json->comma = false;
}

/* Length of the valid UTF-8 sequence at the front of bytes[0 … length), 0 when there is none. */
static size_t utf8_length(const unsigned char *bytes, size_t length) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t need = bytes[0] < 0x80 ? 1 : bytes[0] >> 5 == 6 ? 2 : bytes[0] >> 4 == 14 ? 3 : bytes[0] >> 3 == 30 ? 4 : 0;
  if (need == 0 || need > length) return 0;
  if (need == 1) return 1;
  uint32_t point = bytes[0] & (0xffu >> (need + 1));
  for (size_t i = 1; i < need; i++) {
    if (bytes[i] >> 6 != 2) return 0;
    point = point << 6 | (bytes[i] & 0x3fu);
  }
  bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < least[need] || point > 0x10ffff || surrogate ? 0 : need;
}

void json_bytes(struct json *json, const char *key, const void *data, size_t length) {
  const unsigned char *bytes = data;
  member(json, key);
  fputc('"', json->out);
  for (size_t i = 0; i < length;) {
    size_t run = utf8_length(bytes + i, length - i);
    if (run == 0) {
      fputs("\\ufffd", json->out);
      run = 1;
    } else if (bytes[i] == '"' || bytes[i] == '\\') {
      fprintf(json->out, "\\%c", bytes[i]);
    } else if (bytes[i] < 0x20 || bytes[i] == 0x7f) {
      fprintf(json->out, "\\u%04x", bytes[i]);
    } else {
      fwrite(bytes + i, 1, run, json->out);
    }
    i += run;
  }
  fputc('"', json->out);
}

void json_text(struct json *json, const char *key, const char *text) { json_bytes(json, key, text, strlen(text)); }

void json_hex(struct json *json, const char *key, const void *data, size_t length) {
  const unsigned char *bytes = data;
  member(json, key);
  fputc('"', json->out);
  for (size_t i = 0; i < length; i++) fprintf(json->out, "%02x", bytes[i]);
  fputc('"', json->out);
}

void json_number(struct json *json, const char *key, uint64_t value) {
  member(json, key);
  fprintf(json->out, "%" PRIu64, value);
}

void json_integer(struct json *json, const char *key, int64_t value) {
  member(json, key);
  fprintf(json->out, "%" PRId64, value);
}

void json_decimal(struct json *json, const char *key, double value) {
  member(json, key);
  fprintf(json->out, "%.6f", value);
}

void json_bool(struct json *json, const char *key, bool value) {
  member(json, key);
  fputs(value ? "true" : "false", json->out);
}
