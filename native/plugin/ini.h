/*
 * ini.h: the grammar of vast-ost.conf, the same as engine/ini.ts: test/vectors/ini/README.md states it, and both pass
 * the vectors there.
 */
#ifndef STSP_INI_H
#define STSP_INI_H

#include <stddef.h>

#define STSP_INI_BYTES_MAX 65536u /* of the file */
#define STSP_INI_LINE_MAX 4096u   /* bytes of a line without its end */
#define STSP_INI_KEYS_MAX 1024u

struct stsp__span {
  const char *at;
  size_t length;
};

/* Called for each section header (key.at = NULL) and each key. A result that is not NULL stops: what is wrong there. */
typedef const char *(*stsp__ini_fn)(void *context, struct stsp__span section, struct stsp__span key,
                                    struct stsp__span value);

/*
 * Returns 0, or the number of the line (from 1) that is wrong, with static words for it in *what. Spans point into
 * `bytes`.
 */
unsigned stsp__ini_parse(const char *bytes, size_t length, stsp__ini_fn each, void *context, const char **what);

#endif
