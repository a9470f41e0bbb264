/*
 * length-note.h: the true length of what was backed up. Images are written in blocks of 512 bytes, so the last block is
 * padded with zeros, and the length without them is kept in the image's opaque metadata as {"length":N}. The engine
 * neither reads nor needs it: it is an agreement between this program's backup and restore, as a host program has one.
 */
#ifndef HOST_LENGTH_NOTE_H
#define HOST_LENGTH_NOTE_H

#include "session.h"

bool length_note_write(struct host *host, sts_image_t *image, uint64_t length);

/* `*length`: from the note, or `size` when the image has none or one that cannot belong to this size. */
bool length_note_read(struct host *host, sts_image_t *image, uint64_t size, uint64_t *length);

#endif
