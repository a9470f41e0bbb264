/* fuzz.h: what fuzzers share. Each is one function by libFuzzer's name, so that it can be linked with that as well. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST(condition) \
  do {                  \
    if (!(condition)) abort(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif
