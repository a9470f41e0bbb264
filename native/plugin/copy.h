/* copy.h: the copy from a host program's buffer into a slot. */
#ifndef STSP_COPY_H
#define STSP_COPY_H

#include <stddef.h>

/*
 * memcpy past the caches, where the processor can: what is written is read next by a device or another process, when much
 * more was written behind it. Its lines are not read before they are written, and the caches stay the host program's. All of it
 * is visible to others when the call returns.
 */
void stsp__copy_through(void *to, const void *from, size_t length);

#endif
