/*
 * ini-print.c: reads a configuration file's bytes from stdin and prints what the plug-in's parser makes of them, one
 * line a fact: "section NAME", "key SECTION KEY VALUE" with the bytes in hex, or "wrong LINE". For test/native.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../ini.h"

static void hex(struct stsp__span span) {
  putchar(' ');
  for (size_t i = 0; i < span.length; i++) printf("%02x", (unsigned char)span.at[i]);
  if (span.length == 0) putchar('-');
}

static const char *print(void *context, struct stsp__span section, struct stsp__span key, struct stsp__span value) {
  (void)context;
  fputs(key.at ? "key" : "section", stdout);
  hex(section);
  if (key.at) hex(key), hex(value);
  putchar('\n');
  return NULL;
}

int main(void) {
  size_t room = STSP_INI_BYTES_MAX * 2;
  char *bytes = malloc(room);
  if (!bytes) return 2;
  size_t length = fread(bytes, 1, room, stdin);
  const char *what = NULL;
  unsigned line = stsp__ini_parse(bytes, length, print, NULL, &what);
  if (line) printf("wrong %u\n", line);
  free(bytes);
  return line && !what ? 2 : 0;
}
