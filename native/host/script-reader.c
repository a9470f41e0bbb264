/*
 * script-reader.c: the buffer lies in shared memory, because after the command `fork` the child reads on and the parent
 * goes on behind it: both must see which bytes are taken. Only one of them runs at a time.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "script.h"

struct reader {
  int fd;
  bool ended;
  uint64_t lines; /* taken so far */
  size_t start, end; /* bytes [start, end) are read and not taken */
  char bytes[SCRIPT_LINE_MAX + 1];
};

struct reader *reader_open(int fd) {
  struct reader *reader =
      mmap(NULL, sizeof *reader, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (reader == MAP_FAILED) return NULL;
  reader->fd = fd;
  return reader;
}

/* Reads more behind `end`; false when there is no more, or no room for it. */
static bool fill(struct reader *reader) {
  if (reader->start > 0) {
    memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
  }
  if (reader->ended || reader->end == SCRIPT_LINE_MAX) return false;
  ssize_t got;
  do {
    got = read(reader->fd, reader->bytes + reader->end, SCRIPT_LINE_MAX - reader->end);
  } while (got < 0 && errno == EINTR);
  reader->ended = got <= 0;
  if (got > 0) reader->end += (size_t)got;
  return got > 0;
}

uint64_t reader_line_number(const struct reader *reader) { return reader->lines; }

char *reader_line(struct reader *reader, bool *too_long) {
  size_t looked = 0;
  reader->lines++;
  bool cut = false;
  for (;;) {
    char *newline = memchr(reader->bytes + reader->start + looked, '\n', reader->end - reader->start - looked);
    if (newline != NULL) {
      char *line = reader->bytes + reader->start;
      *newline = '\0';
      reader->start = (size_t)(newline + 1 - reader->bytes);
      *too_long = cut;
      return line;
    }
    looked = reader->end - reader->start;
    if (fill(reader)) continue;
    if (!reader->ended) { /* a line that fills all of the buffer: throw it away up to its newline */
      cut = true;
      looked = 0;
      reader->start = reader->end = 0;
      continue;
    }
    if (reader->end == reader->start) return NULL;
    char *line = reader->bytes + reader->start;
    reader->bytes[reader->end] = '\0';
    reader->start = reader->end;
    *too_long = cut;
    return line;
  }
}
