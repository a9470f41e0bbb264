/* input.h: where a backup's data comes from: a file, standard input, or generated (pattern.h). */
#ifndef HOST_INPUT_H
#define HOST_INPUT_H

#include "pattern.h"
#include "shape.h"
#include "session.h"

struct input {
  const char *name; /* for messages */
  int fd;           /* -1: generated */
  uint64_t length;  /* bytes in all; UNSET: known only at the end (a pipe) */
  struct pattern *pattern;
  struct shape shape; /* off without --dedup and --compress */
  unsigned char *buffer; /* one piece, page aligned */
  size_t buffer_bytes;
};

/* `path`: NULL or "-" is standard input; "%d" in it becomes the stream's number. */
bool input_open(struct input *input, struct host *host, const char *path, uint64_t stream);
void input_close(struct input *input);

/* The pattern of --generate, made once and shared by forked streams. NULL: no memory. */
struct pattern *input_pattern(const struct options *options);

/* What --dedup and --compress make of the pattern for a stream; off without them. */
struct shape input_shape(const struct options *options, struct pattern *pattern, uint64_t stream);

/* Goes forward to `offset`; `*reached` is less when the input ends before. A pipe is read and thrown away. */
bool input_skip(struct input *input, struct host *host, uint64_t offset, uint64_t *reached);

/*
 * The next `wanted` bytes (at most buffer_bytes), which start at `offset`; `*got` is less at the end of the input only.
 * `*data` points to *got bytes with zeros behind up to the next multiple of 512, until the next call.
 */
bool input_next(struct input *input, struct host *host, uint64_t offset, size_t wanted, const unsigned char **data,
                size_t *got);

/* The same from any place, for writing in shuffled order: files and generated data only. */
bool input_at(struct input *input, struct host *host, uint64_t offset, size_t wanted, const unsigned char **data,
              size_t *got);

/* path with each "%d" replaced by the stream's number. False: too long. */
bool path_of_stream(const char *path, uint64_t stream, char *out, size_t out_size);

#endif
