/*
 * shim.h: stands between the plug-in and the system (linked with --wrap): interrupted calls, bytes one by one, and a
 * clock that moves only when it is told to. Settings belong to the thread that makes them; the engine's thread sees the
 * real system.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>
#include <stdint.h>

enum shim_mode {
  SHIM_PLAIN,
  SHIM_EINTR, /* every other call fails with EINTR */
  SHIM_BYTES  /* one byte at a time, and every third call is interrupted */
};
void shim_mode(enum shim_mode mode);
uint64_t shim_calls(void); /* calls that passed here in this thread since shim_mode */

/* The next call of this kind in this thread fails with `error`; it is back to normal after that one. */
enum shim_call { SHIM_CONNECT, SHIM_SOCKET, SHIM_MMAP, SHIM_MADVISE, SHIM_SYSCALL, SHIM_CALLS };
void shim_fail(enum shim_call call, int error);

/* From here on mincore in this thread tells, or no longer, that pages are not there: as of those that were swapped out. */
void shim_swapped(bool on);

/*
 * From here on this thread's clock stands. A sleep moves it and calls `on_sleep` (or NULL); a poll waits until it is
 * ready or somebody lets time pass with shim_pass.
 */
void shim_clock_start(void (*on_sleep)(unsigned sleeps));
void shim_clock_stop(void);
uint64_t shim_clock_ms(void); /* since shim_clock_start */

/*
 * Another thread: lets time pass for the thread whose clock stands, and returns when it has, which is when that one
 * polls. What it can see of a socket it sees before.
 */
void shim_pass(uint32_t ms);

#endif
