/* copy.c: stores past the caches. */
#include "copy.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#include <stdint.h>

#define LINE ((size_t)64) /* bytes that leave the processor together */

void stsp__copy_through(void *to, const void *from, size_t length) {
  unsigned char *into = to;
  const unsigned char *source = from;
  size_t head = (LINE - (uintptr_t)into % LINE) % LINE;
  if (head > length) head = length;
  memcpy(into, source, head);
  size_t at = head;
  for (; length - at >= LINE; at += LINE) {
    const __m128i *line = (const __m128i *)(const void *)(source + at);
    __m128i *target = (__m128i *)(void *)(into + at);
    __m128i a = _mm_loadu_si128(line), b = _mm_loadu_si128(line + 1), c = _mm_loadu_si128(line + 2),
            d = _mm_loadu_si128(line + 3);
    _mm_stream_si128(target, a);
    _mm_stream_si128(target + 1, b);
    _mm_stream_si128(target + 2, c);
    _mm_stream_si128(target + 3, d);
  }
  memcpy(into + at, source + at, length - at);
  _mm_sfence(); /* such stores wait for nothing: else the frame that tells of them could be seen before them */
}
#else
void stsp__copy_through(void *to, const void *from, size_t length) { memcpy(to, from, length); }
#endif
