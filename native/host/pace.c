/* pace.c: a slow host program on purpose, for benches and tests: --rate and --think-us. */
#include <errno.h>
#include <time.h>

#include "streams.h"

#define SECOND_NS UINT64_C(1000000000)

/* What a sleep lasts too long is caught up, but a plug-in that took long is not followed by a burst. */
#define CATCH_UP_NS (10 * UINT64_C(1000000))

static void sleep_until(uint64_t ns) {
  struct timespec until = {.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
}

void stream_pause(const struct options *options, struct stream *stream, uint64_t bytes) {
  if (options->rate == UNSET && options->think_us == UNSET) return;
  uint64_t began = clock_ns(), until = began;
  if (options->think_us != UNSET) until += options->think_us * 1000;
  if (options->rate != UNSET) {
    uint64_t earliest = began > CATCH_UP_NS ? began - CATCH_UP_NS : 0;
    uint64_t from = stream->due_ns == 0 ? began : stream->due_ns > earliest ? stream->due_ns : earliest;
    stream->due_ns = from + (uint64_t)((double)bytes / (double)options->rate * (double)SECOND_NS);
    if (stream->due_ns > until) until = stream->due_ns;
  }
  if (until > began) sleep_until(until);
  stream->pause_ns += clock_ns() - began;
}
