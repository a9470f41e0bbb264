/* check.h: what the host program hands in, checked and put into the fields of a frame. */
#ifndef STSP_CHECK_H
#define STSP_CHECK_H

#include <stdbool.h>

#include "../wire/wire.h"
#include "include/stsp.h"

/* Copies a name of 1 … size − 1 bytes, zero-filled behind. Status; `what` names it in the text. */
int stsp__check_name(sts_session_t *session, const char *what, const char *name, char *out, size_t size);

/* Checks an image definition and copies it without what lies behind the NULs. */
int stsp__check_def(sts_session_t *session, const sts_image_def_t *def, struct wire_image_def *out);

/* The session itself; without one there is nowhere to put a text. */
int stsp__check_session(sts_session_t *session);

/* A definition that came from the engine; false when a string has no end or a length is wrong. */
bool stsp__def_from_wire(const struct wire_image_def *from, sts_image_def_t *out);

/* The same of one in a page of a list, of which `have` bytes are left. The bytes that it takes; 0: it cannot be right. */
size_t stsp__def_from_list(const unsigned char *from, size_t have, sts_image_def_t *out);

/* "image NAME~DATE in LSU NAME" for texts. */
void stsp__describe(char *out, size_t size, const struct wire_image_def *def, const char *lsu);

#endif
