#include "pattern.h"

#include <string.h>
#include <sys/mman.h>

#include "words.h"

bool pattern_open(struct pattern *pattern, uint64_t seed) {
  memset(pattern, 0, sizeof *pattern);
  pattern->seed = seed;
  void *bytes = mmap(NULL, PATTERN_PIECES * PATTERN_UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) return false;
  pattern->bytes = bytes;
  return true;
}

void pattern_close(struct pattern *pattern) {
  if (pattern->bytes != NULL) munmap(pattern->bytes, PATTERN_PIECES * PATTERN_UNIT);
  pattern->bytes = NULL;
}

static void fill_piece(struct pattern *pattern, size_t piece) {
  if (pattern->filled[piece]) return;
  uint64_t at = piece * PATTERN_UNIT;
  words_fill(pattern->seed, at % PATTERN_BYTES, pattern->bytes + at, PATTERN_UNIT);
  pattern->filled[piece] = true;
}

void pattern_fill(struct pattern *pattern) {
  for (size_t piece = 0; piece < PATTERN_PIECES; piece++) fill_piece(pattern, piece);
}

const unsigned char *pattern_from(struct pattern *pattern, uint64_t at, size_t length) {
  fill_piece(pattern, at / PATTERN_UNIT);
  if (length > 0) fill_piece(pattern, (at + length - 1) / PATTERN_UNIT);
  return pattern->bytes + at;
}

const unsigned char *pattern_at(struct pattern *pattern, uint64_t offset, size_t *length) {
  uint64_t start = words_at(~pattern->seed, offset / PATTERN_UNIT) % (PATTERN_BYTES / 4096) * 4096;
  uint64_t inside = offset % PATTERN_UNIT;
  if (*length > PATTERN_UNIT - inside) *length = PATTERN_UNIT - inside;
  return pattern_from(pattern, (start + inside) % PATTERN_BYTES, *length);
}

void pattern_copy(struct pattern *pattern, uint64_t offset, void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    size_t piece = length - done;
    const unsigned char *from = pattern_at(pattern, offset + done, &piece);
    memcpy((unsigned char *)bytes + done, from, piece);
    done += piece;
  }
}

size_t pattern_mismatch(struct pattern *pattern, uint64_t offset, const void *data, size_t length) {
  const unsigned char *bytes = data;
  for (size_t done = 0; done < length;) {
    size_t piece = length - done;
    const unsigned char *expected = pattern_at(pattern, offset + done, &piece);
    size_t same = words_same(expected, bytes + done, piece);
    if (same < piece) return done + same;
    done += piece;
  }
  return length;
}
