#include "words.h"

#include <string.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static inline uint64_t word(uint64_t key, uint64_t index) { return mix(key + (index + 1) * GOLDEN); }

static inline void store(uint64_t value, unsigned char bytes[8]) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  memcpy(bytes, &value, 8);
}

uint64_t words_at(uint64_t seed, uint64_t index) { return word(mix(seed + GOLDEN), index); }

void words_fill(uint64_t seed, uint64_t offset, void *data, size_t length) {
  unsigned char *bytes = data, edge[8];
  uint64_t key = mix(seed + GOLDEN), index = offset / 8;
  size_t skip = offset % 8, done = 0;
  if (skip != 0 && length > 0) {
    store(word(key, index++), edge);
    done = 8 - skip < length ? 8 - skip : length;
    memcpy(bytes, edge + skip, done);
  }
  for (; length - done >= 8; done += 8) store(word(key, index++), bytes + done);
  if (done < length) {
    store(word(key, index), edge);
    memcpy(bytes + done, edge, length - done);
  }
}

size_t words_same(const unsigned char *expected, const unsigned char *bytes, size_t length) {
  if (memcmp(expected, bytes, length) == 0) return length;
  size_t same = 0;
  while (same < length && expected[same] == bytes[same]) same++;
  return same;
}

size_t words_mismatch(uint64_t seed, uint64_t offset, const void *data, size_t length) {
  const unsigned char *bytes = data;
  unsigned char expected[4096];
  for (size_t done = 0; done < length;) {
    size_t piece = length - done < sizeof expected ? length - done : sizeof expected;
    words_fill(seed, offset + done, expected, piece);
    size_t same = words_same(expected, bytes + done, piece);
    if (same < piece) return done + same;
    done += piece;
  }
  return length;
}
