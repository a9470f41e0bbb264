// check.h: assertions and random numbers of the harness.
#ifndef VAST_OST_TEST_CHECK_H
#define VAST_OST_TEST_CHECK_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace harness {

/** Ends the harness with both values where they differ. */
inline void equal(int64_t got, int64_t want, const char* what, const char* file, int line) {
  if (got == want) return;
  fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", file, line, what, static_cast<long long>(got),
          static_cast<long long>(want));
  abort();
}
#define EQUAL(got, want) \
  harness::equal(static_cast<int64_t>(got), static_cast<int64_t>(want), #got, __FILE__, __LINE__)
#define TRUE(condition) EQUAL(!!(condition), 1)

/** xorshift64*: seeded, one for each thread. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  uint64_t word() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1dull;
  }
  uint64_t below(uint64_t end) { return (word() >> 16) % end; }
  void fill(uint8_t* bytes, size_t length) {
    for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(word() >> 56);
  }

 private:
  uint64_t state_;
};

/** What every part gets. `dir`: id of an empty directory. */
struct Setting {
  int32_t dir;
  uint64_t seed;
  uint64_t rounds;
};

void testFaults(const Setting& setting);
void testPassing(const Setting& setting);
void testWatching(const Setting& setting);
void testSending(const Setting& setting);
void testThreads(const Setting& setting);

}  // namespace harness

#endif
