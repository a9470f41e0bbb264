/* ini.c: one pass over the lines; the keys seen so far are remembered to find one given twice. No allocation. */
#include "ini.h"

#include <stdbool.h>
#include <string.h>

struct seen {
  struct stsp__span section;
  struct stsp__span key;
};

static bool blank(char byte) { return byte == ' ' || byte == '\t'; }

static struct stsp__span trim(const char *begin, const char *end) {
  while (begin < end && blank(*begin)) begin++;
  while (end > begin && blank(end[-1])) end--;
  return (struct stsp__span){begin, (size_t)(end - begin)};
}

static bool is_name(struct stsp__span span, bool colon) {
  if (span.length == 0) return false;
  for (size_t i = 0; i < span.length; i++) {
    char byte = span.at[i];
    bool good = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                byte == '_' || byte == '-' || byte == '.' || (colon && byte == ':');
    if (!good) return false;
  }
  return true;
}

static bool same(struct stsp__span a, struct stsp__span b) {
  return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static bool clean(const char *begin, const char *end) {
  for (; begin < end; begin++) {
    unsigned char byte = (unsigned char)*begin;
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

unsigned stsp__ini_parse(const char *bytes, size_t length, stsp__ini_fn each, void *context, const char **what) {
  struct seen seen[STSP_INI_KEYS_MAX];
  size_t count = 0;
  struct stsp__span section = {NULL, 0};
  const char *at = bytes;
  const char *end = bytes + length;
  unsigned line = 0;
  if (length > STSP_INI_BYTES_MAX) {
    *what = "the file is longer than 64 KiB";
    return 1;
  }
  if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) at += 3; /* an editor's byte order mark */
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline ? newline : end;
    const char *begin = at;
    at = newline ? newline + 1 : end;
    line++;
    if (newline && stop > begin && stop[-1] == '\r') stop--;
    if ((size_t)(stop - begin) > STSP_INI_LINE_MAX) return *what = "the line is longer than 4096 bytes", line;
    if (!clean(begin, stop)) return *what = "the line holds a control character", line;
    struct stsp__span text = trim(begin, stop);
    if (text.length == 0 || text.at[0] == '#' || text.at[0] == ';') continue;
    if (text.at[0] == '[') {
      if (text.at[text.length - 1] != ']') return *what = "a section is written [name], and nothing behind it", line;
      section = trim(text.at + 1, text.at + text.length - 1);
      if (!is_name(section, true))
        return *what = "a section's name is made of letters, digits, '_', '-', '.' and ':'", line;
      const char *wrong = each(context, section, (struct stsp__span){NULL, 0}, (struct stsp__span){NULL, 0});
      if (wrong) return *what = wrong, line;
      continue;
    }
    const char *equals = memchr(text.at, '=', text.length);
    if (!equals) return *what = "expected key = value, [section], or a comment that begins with # or ;", line;
    struct stsp__span key = trim(text.at, equals);
    struct stsp__span value = trim(equals + 1, text.at + text.length);
    if (!is_name(key, false)) return *what = "a key is made of letters, digits, '_', '-' and '.'", line;
    if (!section.at) return *what = "a key stands before the first [section]", line;
    for (size_t i = 0; i < count; i++) {
      if (same(seen[i].section, section) && same(seen[i].key, key)) return *what = "the key is given twice", line;
    }
    if (count == STSP_INI_KEYS_MAX) return *what = "more than 1024 keys", line;
    seen[count++] = (struct seen){section, key};
    const char *wrong = each(context, section, key, value);
    if (wrong) return *what = wrong, line;
  }
  return 0;
}
