#include "shape.h"

#include <string.h>

#include "words.h"

void shape_set(struct shape *shape, struct pattern *pattern, uint64_t seed, uint64_t dedup, uint64_t compress) {
  size_t kept = (size_t)((SHAPE_GRANULE * SHAPE_ONE + compress - 1) / compress);
  *shape = (struct shape){
      .on = true, .seed = ~seed, .dedup = dedup, .kept = (kept + 7) / 8 * 8, .pattern = pattern};
}

/* Which content a unit has. */
static uint64_t content_of(const struct shape *shape, uint64_t unit) {
  uint64_t fresh = unit * SHAPE_ONE / shape->dedup;
  if (unit == 0 || (unit - 1) * SHAPE_ONE / shape->dedup != fresh) return fresh;
  return words_at(shape->seed, (UINT64_C(1) << 63) + unit) % (fresh + 1);
}

/* Whole words, so that the loop runs in registers of any width. */
static void mix_words(unsigned char *to, const unsigned char *from, size_t length, uint64_t key) {
  for (size_t i = 0; i < length; i += 8) {
    uint64_t word;
    memcpy(&word, from + i, 8);
    word ^= key;
    memcpy(to + i, &word, 8);
  }
}

static uint64_t in_memory_order(uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return __builtin_bswap64(word);
#else
  return word;
#endif
}

/* Some of one granule of 4 KiB; `inside`: where in it. */
static void copy_part(size_t kept, const unsigned char *granule, uint64_t key, size_t inside, unsigned char *to,
                      size_t length) {
  size_t mixed = inside >= kept ? 0 : kept - inside < length ? kept - inside : length;
  if (mixed % 8 == 0 && inside % 8 == 0) {
    mix_words(to, granule + inside, mixed, key);
  } else {
    unsigned char bytes[8];
    memcpy(bytes, &key, 8);
    for (size_t i = 0; i < mixed; i++) to[i] = granule[inside + i] ^ bytes[(inside + i) % 8];
  }
  memset(to + mixed, 0, length - mixed);
}

void shape_copy(const struct shape *shape, uint64_t offset, void *data, size_t length) {
  unsigned char *bytes = data;
  for (size_t done = 0; done < length;) {
    uint64_t at = offset + done, in_unit = at % PATTERN_UNIT, content = content_of(shape, at / PATTERN_UNIT);
    uint64_t start = words_at(shape->seed, 2 * content) % (PATTERN_BYTES / SHAPE_GRANULE) * SHAPE_GRANULE;
    uint64_t key = in_memory_order(words_at(shape->seed, 2 * content + 1));
    size_t left = (size_t)(PATTERN_UNIT - in_unit) < length - done ? (size_t)(PATTERN_UNIT - in_unit) : length - done;
    const unsigned char *unit = pattern_from(shape->pattern, start + in_unit - at % SHAPE_GRANULE, left + SHAPE_GRANULE);
    for (size_t inside = (size_t)(at % SHAPE_GRANULE); left > 0; inside = 0, unit += SHAPE_GRANULE) {
      size_t part = SHAPE_GRANULE - inside < left ? SHAPE_GRANULE - inside : left;
      copy_part(shape->kept, unit, key, inside, bytes + done, part);
      done += part;
      left -= part;
    }
  }
}

size_t shape_mismatch(const struct shape *shape, uint64_t offset, const void *data, size_t length) {
  const unsigned char *bytes = data;
  unsigned char expected[16 * SHAPE_GRANULE];
  for (size_t done = 0; done < length;) {
    size_t piece = length - done < sizeof expected ? length - done : sizeof expected;
    shape_copy(shape, offset + done, expected, piece);
    size_t same = words_same(expected, bytes + done, piece);
    if (same < piece) return done + same;
    done += piece;
  }
  return length;
}
