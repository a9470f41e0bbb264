/* log.h: texts that reach the host program: the session's error and its log callback. */
#ifndef STSP_LOG_H
#define STSP_LOG_H

#include <stdarg.h>

#include "include/stsp.h"

/* Writes the text of a failure into session->error, tells the log callback, returns `status`. */
int stsp__fail(sts_session_t *session, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same without the log: for what is no failure to anybody but the caller, as the end of a list. */
int stsp__tell(sts_session_t *session, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

void stsp__log(sts_session_t *session, int severity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One line of printable bytes: control bytes become '?', what does not fit ends in "...". `size` ≥ 4. */
void stsp__format(char *out, size_t size, const char *format, va_list arguments);

/* A name for texts: at most `size` − 1 bytes, cut in the middle of nothing but bytes, control bytes replaced. */
void stsp__printable(char *out, size_t size, const char *name);

#endif
