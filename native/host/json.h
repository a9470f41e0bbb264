/* json.h: writes one line of JSON to a stream. Commas are kept by the writer; the caller opens and closes. */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
  FILE *out;
  bool comma; /* the next member needs one before it */
};

/* Every function takes the member's key, or NULL inside an array or for the outermost value. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_end(struct json *json); /* newline and fflush: the reader has the whole line */

void json_text(struct json *json, const char *key, const char *text);
/* Any bytes: what is no UTF-8 becomes U+FFFD; write json_hex beside it where the exact bytes count. */
void json_bytes(struct json *json, const char *key, const void *bytes, size_t length);
void json_hex(struct json *json, const char *key, const void *bytes, size_t length);
void json_number(struct json *json, const char *key, uint64_t value);
void json_integer(struct json *json, const char *key, int64_t value);
void json_decimal(struct json *json, const char *key, double value); /* six places */
void json_bool(struct json *json, const char *key, bool value);

#endif
