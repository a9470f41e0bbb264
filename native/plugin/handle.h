/*
 * handle.h: what the host program holds is no pointer but a number: index, generation and kind. So a handle that was
 * closed, one of another kind and plain garbage are told apart from a live one without touching freed memory.
 */
#ifndef STSP_HANDLE_H
#define STSP_HANDLE_H

enum stsp__kind { STSP_SERVER = 1, STSP_IMAGE = 2, STSP_LSU_LIST = 3, STSP_IMAGE_LIST = 4 };

#define STSP_HANDLES_MAX 4096u /* of all kinds, in one process */

/* A handle for `object`, or NULL when all are taken. */
void *stsp__handle_new(enum stsp__kind kind, void *object);

/* The object of a live handle of that kind, else NULL. */
void *stsp__handle_get(const void *handle, enum stsp__kind kind);

/* The same, and the handle is dead from here on. Of two that race, one gets NULL. */
void *stsp__handle_take(const void *handle, enum stsp__kind kind);

#endif
