/* frame-io.h: whole frames over a stream socket that never blocks; waiting is poll with a limit. */
#ifndef STSP_FRAME_IO_H
#define STSP_FRAME_IO_H

#include <poll.h>

#include "engine-link.h"

enum stsp__received { STSP_NOTHING = 0, STSP_FRAME = 1, STSP_END = -1, STSP_ERROR = -2, STSP_WRONG = -3 };

/*
 * Goes on with the frame in link->frame. STSP_FRAME: it is whole, link->have is 0 again, descriptors are in
 * link->passed. STSP_ERROR: errno. STSP_WRONG: its header cannot be right.
 */
enum stsp__received stsp__frame_receive(struct stsp__link *link);

/* Sends both parts. 0, or an errno; ETIMEDOUT when the engine takes nothing for STSP_SILENCE_MS. */
int stsp__frame_send(int fd, const void *head, size_t head_length, const void *tail, size_t tail_length);

/* Waits for `events` until the time (stsp__now) comes. 1: ready, 0: time is up, −1: errno. EINTR restarts. */
int stsp__frame_poll(int fd, short events, uint64_t until_ns);

/* Closes the descriptors that came with a frame and were not taken. */
void stsp__frame_drop_passed(struct stsp__link *link);

#endif
