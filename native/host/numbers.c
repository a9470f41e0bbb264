/*
 * numbers.c: written by hand instead of strtoull, because a new glibc binds that to a symbol (__isoc23_strtoull) that the
 * systems we run on do not have, and because strtoull takes "-1".
 */
#include "numbers.h"

#include <string.h>

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 255;
}

/* Reads digits from the front; returns the first character that is none, or NULL when there is no digit or no room. */
static const char *take_number(const char *text, uint64_t *value) {
  uint64_t base = 10, sum = 0;
  const char *at = text;
  if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
    base = 16;
    at += 2;
  }
  const char *first = at;
  for (; (uint64_t)digit_of(*at) < base; at++) {
    uint64_t digit = (uint64_t)digit_of(*at);
    if (sum > (UINT64_MAX - digit) / base) return NULL;
    sum = sum * base + digit;
  }
  if (at == first) return NULL;
  *value = sum;
  return at;
}

bool parse_number(const char *text, uint64_t *value) {
  const char *end = take_number(text, value);
  return end != NULL && *end == '\0';
}

bool parse_bytes(const char *text, uint64_t *bytes) {
  static const char units[] = "KMGT";
  uint64_t value = 0;
  const char *end = take_number(text, &value);
  if (end == NULL) return false;
  if (*end == '\0') {
    *bytes = value;
    return true;
  }
  const char *unit = strchr(units, *end >= 'a' ? *end - 32 : *end);
  if (unit == NULL || *unit == '\0') return false;
  const char *rest = end + 1;
  uint64_t step = strcmp(rest, "B") == 0 ? 1000 : 1024;
  if (*rest != '\0' && strcmp(rest, "B") != 0 && strcmp(rest, "i") != 0 && strcmp(rest, "iB") != 0) return false;
  for (const char *at = units; at <= unit; at++) {
    if (value > UINT64_MAX / step) return false;
    value *= step;
  }
  *bytes = value;
  return true;
}

bool parse_ratio(const char *text, uint64_t *thousandths) {
  uint64_t whole = 0, part = 0, unit = 1000;
  const char *at = text;
  for (; *at >= '0' && *at <= '9' && whole <= 1000; at++) whole = whole * 10 + (uint64_t)(*at - '0');
  if (at == text) return false;
  if (*at == '.') {
    const char *first = ++at;
    for (; *at >= '0' && *at <= '9' && unit > 1; at++) {
      unit /= 10;
      part += (uint64_t)(*at - '0') * unit;
    }
    if (at == first) return false;
  }
  *thousandths = whole * 1000 + part;
  return *at == '\0' && *thousandths >= 1000 && *thousandths <= 1000000;
}

bool parse_hex(const char *text, size_t text_length, unsigned char *bytes, size_t capacity, size_t *length) {
  if (text_length % 2 != 0 || text_length / 2 > capacity) return false;
  for (size_t i = 0; i < text_length / 2; i++) {
    int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
    if (high > 15 || low > 15) return false;
    bytes[i] = (unsigned char)(high * 16 + low);
  }
  *length = text_length / 2;
  return true;
}
