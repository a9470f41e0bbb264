#include "script-expect.h"

#include <string.h>

#include "numbers.h"
#include "words.h"

/* Takes the next part; false: there is none, or it is wrong (`*wrong`). */
static bool next_part(struct expect *expect, bool *wrong) {
  char part[64];
  size_t length = strcspn(expect->rest, ",");
  if (length == 0) return false;
  *wrong = true;
  if (length >= sizeof part) return false;
  memcpy(part, expect->rest, length);
  part[length] = '\0';
  expect->rest += length + (expect->rest[length] == ',');
  char *colon = strchr(part, ':');
  expect->left = UINT64_MAX;
  if (colon != NULL) {
    *colon = '\0';
    if (!parse_bytes(colon + 1, &expect->left)) return false;
  }
  expect->zero = strcmp(part, "zero") == 0;
  if (!expect->zero && !parse_number(part, &expect->seed)) return false;
  *wrong = false;
  return true;
}

bool expect_begin(struct script *script, struct expect *expect, const char *text) {
  *expect = (struct expect){.given = text != NULL, .good = true, .rest = text};
  if (text == NULL) return true;
  bool wrong = false;
  while (next_part(expect, &wrong)) continue;
  if (wrong || *expect->rest != '\0') return script_error(script, "expect= takes SEED:LENGTH or zero:LENGTH, with commas between");
  expect->rest = text;
  expect->left = 0;
  return true;
}

static size_t zero_mismatch(const unsigned char *bytes, size_t length) {
  size_t i = 0;
  while (i < length && bytes[i] == 0) i++;
  return i;
}

void expect_bytes(struct expect *expect, uint64_t offset, const unsigned char *bytes, size_t length) {
  for (size_t done = 0; expect->given && expect->good && done < length;) {
    bool wrong = false;
    if (expect->left == 0) {
      if (next_part(expect, &wrong)) continue;
      expect->good = false; /* more bytes than expected */
      expect->mismatch_at = offset + done;
      return;
    }
    size_t piece = length - done < expect->left ? length - done : (size_t)expect->left;
    size_t same = expect->zero ? zero_mismatch(bytes + done, piece)
                               : words_mismatch(expect->seed, offset + done, bytes + done, piece);
    if (same < piece) {
      expect->good = false;
      expect->mismatch_at = offset + done + same;
    }
    if (expect->left != UINT64_MAX) expect->left -= piece;
    done += piece;
  }
}

void expect_answer(struct script *script, struct expect *expect, uint64_t end) {
  if (!expect->given) return;
  bool wrong = false;
  while (expect->good && expect->left == 0 && next_part(expect, &wrong)) continue;
  if (expect->good && expect->left != 0 && expect->left != UINT64_MAX) {
    expect->good = false; /* fewer bytes than expected */
    expect->mismatch_at = end;
  }
  json_bool(&script->json, "match", expect->good);
  if (!expect->good) json_number(&script->json, "mismatch_at", expect->mismatch_at);
}
