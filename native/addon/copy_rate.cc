// copy_rate.cc: from pages that the processor has at hand into pages of which it keeps nothing.
#include "copy_rate.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/mman.h>
#include <time.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace vast_ost {

namespace {

/** A host program's buffer. */
constexpr size_t sourceBytes = size_t{256} << 10;
/** A try is some 50 µs: seldom disturbed, and long beside the clock. */
constexpr size_t targetBytes = size_t{1} << 20;
constexpr int tries = 16;

uint64_t nowNs() {
  struct timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

#ifdef __SSE2__
constexpr bool passesCaches = true;

/** Both begin with a page. */
void copyThrough(uint8_t* to, const uint8_t* from, size_t length) {
  for (size_t at = 0; at < length; at += sizeof(__m128i))
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + at), _mm_load_si128(reinterpret_cast<const __m128i*>(from + at)));
  _mm_sfence();
}
#else
/** What memcpy writes stays in the caches: nearly twice as fast, which would make a fine disk a slow one. */
constexpr bool passesCaches = false;
void copyThrough(uint8_t*, const uint8_t*, size_t) {}
#endif

}  // namespace

int64_t copyRate() {
  if (!passesCaches) return -ENOTSUP;
  constexpr size_t bytes = sourceBytes + targetBytes;
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -errno;
  auto* const source = static_cast<uint8_t*>(memory);
  uint8_t* const target = source + sourceBytes;
  memset(source, 1, bytes);  // pages that are not there yet would be what is measured
  uint64_t bestNs = UINT64_MAX;
  for (int i = 0; i < tries; ++i) {
    const uint64_t begun = nowNs();
    for (size_t at = 0; at < targetBytes; at += sourceBytes) copyThrough(target + at, source, sourceBytes);
    const uint64_t ns = nowNs() - begun;
    if (ns < bestNs) bestNs = ns;
  }
  munmap(memory, bytes);
  if (bestNs == 0) return -ENOTSUP;  // by a clock that ticks more slowly than that
  return static_cast<int64_t>(targetBytes * 1000000000 / bestNs);
}

}  // namespace vast_ost
