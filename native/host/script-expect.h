/*
 * script-expect.h: what a read should give: "expect=PART,PART…" with PART = SEED:LENGTH, zero:LENGTH, or without
 * :LENGTH for all the rest. Parts lie one behind the other from the read's offset on; the data of SEED at an image offset
 * is gen(SEED, offset) of words.h.
 */
#ifndef HOST_SCRIPT_EXPECT_H
#define HOST_SCRIPT_EXPECT_H

#include "script.h"

struct expect {
  const char *rest;    /* parts not yet begun */
  bool zero;
  uint64_t seed, left; /* of the part under way */
  bool given, good;
  uint64_t mismatch_at;
};

/* Answers and returns false when the text is wrong (it is parsed in whole). NULL: nothing is expected. */
bool expect_begin(struct script *script, struct expect *expect, const char *text);

/* Compares the next bytes of the image, which start at `offset`. */
void expect_bytes(struct expect *expect, uint64_t offset, const unsigned char *bytes, size_t length);

/* Answers "match" and, if there is one, "mismatch_at". `end`: image offset behind the last byte that was read. */
void expect_answer(struct script *script, struct expect *expect, uint64_t end);

#endif
