/*
 * streams.h: backup and restore of many images at once, each in a process of its own, because bptm is one process per
 * job. The plug-in is loaded after the fork, in each of them.
 */
#ifndef HOST_STREAMS_H
#define HOST_STREAMS_H

#include <stdatomic.h>

#include "clock.h"
#include "measures.h"
#include "session.h"

/*
 * What one stream did. Shared memory: written by the stream's process, read by the first one (moved: also meanwhile).
 * Streams have one beginning of time for their series: when the first of them started.
 */
struct stream {
  uint64_t number; /* 1 …; 0: the only one, in the first process itself */
  sts_image_def_t def;
  struct outcome outcome;
  bool finished;
  _Atomic uint64_t moved;  /* bytes so far, for progress */
  uint64_t bytes;          /* moved by this run, without padding */
  uint64_t length;         /* of what was backed up, without padding, as far as known */
  uint64_t size;           /* of the image, as far as this program knows */
  uint64_t offset;         /* where writing or reading began */
  uint64_t reads, writes;  /* calls */
  uint64_t started_ns, ended_ns, connect_ns; /* started: behind open_server; ended: behind close */
  struct cpu_time cpu;     /* of the process between started and ended */
  struct measures *measures; /* of the calls of the plug-in; shared memory too */
  _Atomic uint64_t *first_ns; /* when the first stream started; 0: none did */
  uint64_t called_ns;        /* when the last call ended */
  uint64_t file_ns;        /* spent reading input or writing output */
  uint64_t pause_ns;       /* waited for --rate and --think-us */
  uint64_t due_ns;         /* when --rate allows the next piece; 0: none was moved */
  sts_uint32_t state;      /* STS_II_* after close */
};

/* Runs one stream; fills in everything. */
typedef void stream_function(const struct options *options, struct stream *stream);

/*
 * Runs `function` for one stream here, or for --streams of them in a process each, and prints the report.
 * Returns the exit code.
 */
int streams_run(const struct options *options, uint64_t count, stream_function *function, bool data_on_stdout);

/* Called behind each call of the plug-in that `began` then. Nanoseconds. */
void stream_called(struct stream *stream, enum call_kind kind, uint64_t began);

/* Called by a stream after each piece, behind stream_called: the series, and progress when it is the only one. */
void stream_moved(const struct options *options, struct stream *stream, uint64_t bytes);

/* Called by a stream after each piece too: waits as --rate and --think-us say. */
void stream_pause(const struct options *options, struct stream *stream, uint64_t bytes);

/* Between these two calls the stream's seconds and CPU seconds are counted. */
void stream_started(struct stream *stream);
void stream_ended(struct stream *stream);

/* stream-report.c: the table, or the JSON line. */
int streams_report(const struct options *options, const struct stream *streams, uint64_t count, bool data_on_stdout);

#endif
