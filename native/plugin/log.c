/*
 * log.c: no output of its own. The host program owns stdout, stderr and its log, so every line goes through the
 * session's callback, and names in it are made printable: an image name may hold any byte but NUL.
 */
#include "log.h"

#include <stdio.h>
#include <string.h>

static void one_line(char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte < 0x20 || byte == 0x7f) *text = '?';
  }
}

void stsp__format(char *out, size_t size, const char *format, va_list arguments) {
  int length = vsnprintf(out, size, format, arguments);
  if (length < 0) out[0] = 0;
  if (length >= 0 && (size_t)length >= size) memcpy(out + size - 4, "...", 4);
  one_line(out);
}

void stsp__printable(char *out, size_t size, const char *name) {
  size_t length = strnlen(name, size);
  if (length < size) {
    memcpy(out, name, length + 1);
  } else {
    memcpy(out, name, size - 4);
    memcpy(out + size - 4, "...", 4);
  }
  one_line(out);
}

int stsp__fail(sts_session_t *session, int status, const char *format, ...) {
  if (!session) return status;
  va_list arguments;
  va_start(arguments, format);
  stsp__format(session->error, sizeof session->error, format, arguments);
  va_end(arguments);
  if (session->log) session->log(session->log_context, STS_LOG_ERROR, session->error);
  return status;
}

int stsp__tell(sts_session_t *session, int status, const char *format, ...) {
  if (!session) return status;
  va_list arguments;
  va_start(arguments, format);
  stsp__format(session->error, sizeof session->error, format, arguments);
  va_end(arguments);
  return status;
}

void stsp__log(sts_session_t *session, int severity, const char *format, ...) {
  if (!session || !session->log) return;
  char line[STS_MAX_ERROR];
  va_list arguments;
  va_start(arguments, format);
  stsp__format(line, sizeof line, format, arguments);
  va_end(arguments);
  session->log(session->log_context, severity, line);
}
