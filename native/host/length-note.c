#include "length-note.h"

#include <inttypes.h>
#include <string.h>

#include "numbers.h"

#define NOTE_MAX 256u

bool length_note_write(struct host *host, sts_image_t *image, uint64_t length) {
  char note[NOTE_MAX];
  sts_uint32_t written = 0, size = (sts_uint32_t)snprintf(note, sizeof note, "{\"length\":%" PRIu64 "}", length);
  return host_call(host, host->plugin.write_image_meta(image, note, size, 0, &written), "stsp_write_image_meta");
}

/* The number in {"length":N}, blanks allowed; false for anything else. */
static bool parse_note(const char *note, uint64_t *length) {
  char text[NOTE_MAX + 1];
  size_t used = 0;
  for (; *note != '\0'; note++) {
    if (strchr(" \t\r\n", *note) == NULL) text[used++] = *note;
  }
  text[used] = '\0';
  static const char front[] = "{\"length\":";
  if (used < sizeof front || strncmp(text, front, sizeof front - 1) != 0 || text[used - 1] != '}') return false;
  text[used - 1] = '\0';
  return parse_number(text + sizeof front - 1, length);
}

bool length_note_read(struct host *host, sts_image_t *image, uint64_t size, uint64_t *length) {
  char note[NOTE_MAX + 1];
  sts_uint32_t got = 0;
  if (!host_call(host, host->plugin.read_image_meta(image, note, NOTE_MAX, 0, &got), "stsp_read_image_meta")) return false;
  note[got <= NOTE_MAX ? got : NOTE_MAX] = '\0';
  if (!parse_note(note, length) || *length > size || size - *length >= STS_BLOCK_SIZE) *length = size;
  return true;
}
