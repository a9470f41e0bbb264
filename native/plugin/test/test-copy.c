/* The copy past the caches: the same bytes as memcpy's, and none beside them. */
#include <string.h>

#include "harness.h"
#include "../copy.h"

#define AROUND 256u
#define LONGEST 4096u

TEST(a_copy_past_the_caches_is_a_copy) {
  static unsigned char from[LONGEST + 2 * AROUND], to[LONGEST + 2 * AROUND], expected[sizeof to];
  for (size_t i = 0; i < sizeof from; i++) from[i] = (unsigned char)(i * 7 + i / 251);
  for (unsigned round = 0; round < 4000; round++) {
    size_t source = test_random() % AROUND, target = test_random() % AROUND;
    size_t length = test_random() % (round % 2 ? LONGEST : 130u);
    memset(to, 0xee, sizeof to);
    memset(expected, 0xee, sizeof expected);
    memcpy(expected + target, from + source, length);
    stsp__copy_through(to + target, from + source, length);
    CHECK(memcmp(to, expected, sizeof to) == 0);
  }
}
