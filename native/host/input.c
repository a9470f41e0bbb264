#include "input.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool path_of_stream(const char *path, uint64_t stream, char *out, size_t out_size) {
  size_t used = 0;
  while (*path != '\0') {
    int more;
    if (stream > 0 && path[0] == '%' && path[1] == 'd') {
      more = snprintf(out + used, out_size - used, "%" PRIu64, stream);
      path += 2;
    } else {
      more = snprintf(out + used, out_size - used, "%c", *path++);
    }
    used += (size_t)more;
    if (used >= out_size) return false;
  }
  out[used] = '\0';
  return true;
}

static uint64_t generated_seed(const struct options *options) {
  return options->verify_seed != UNSET ? options->verify_seed : options->seed;
}

static bool shaped(const struct options *options) { return options->dedup != UNSET || options->compress != UNSET; }

struct pattern *input_pattern(const struct options *options) {
  static struct pattern pattern;
  uint64_t seed = shaped(options) ? 0 : generated_seed(options);
  if (pattern.bytes == NULL && !pattern_open(&pattern, seed)) return NULL;
  return &pattern;
}

struct shape input_shape(const struct options *options, struct pattern *pattern, uint64_t stream) {
  struct shape shape = {.on = false};
  if (!shaped(options)) return shape;
  shape_set(&shape, pattern, generated_seed(options) + stream, options->dedup == UNSET ? SHAPE_ONE : options->dedup,
            options->compress == UNSET ? SHAPE_ONE : options->compress);
  return shape;
}

bool input_open(struct input *input, struct host *host, const char *path, uint64_t stream) {
  const struct options *options = host->options;
  *input = (struct input){.name = "standard input", .fd = -1, .length = UNSET, .buffer_bytes = options->buffer_bytes};
  void *buffer = NULL;
  if (posix_memalign(&buffer, 4096, input->buffer_bytes) != 0) {
    return host_failed(host, HOST_FAILED, "no memory for a buffer of %zu bytes; give a smaller --buffer", input->buffer_bytes);
  }
  input->buffer = buffer;
  if (options->generate_bytes != UNSET) {
    input->name = "generated data";
    input->length = options->generate_bytes;
    input->pattern = input_pattern(options);
    if (input->pattern == NULL) return host_failed(host, HOST_FAILED, "no memory for the pattern of --generate");
    input->shape = input_shape(options, input->pattern, stream);
    return true;
  }
  if (path == NULL || strcmp(path, "-") == 0) {
    input->fd = STDIN_FILENO;
  } else {
    char expanded[4096];
    if (!path_of_stream(path, stream, expanded, sizeof expanded)) {
      return host_failed(host, HOST_FAILED, "the path %s is too long", path);
    }
    input->name = path;
    input->fd = open(expanded, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0) return host_failed(host, HOST_FAILED, "cannot open %s: %s", expanded, strerror(errno));
  }
  off_t end = lseek(input->fd, 0, SEEK_END);
  if (end > 0 && lseek(input->fd, 0, SEEK_SET) == 0) input->length = (uint64_t)end;
  return true;
}

void input_close(struct input *input) {
  if (input->fd > STDIN_FILENO) close(input->fd);
  free(input->buffer);
  input->fd = -1;
  input->buffer = NULL;
}

static bool read_failed(struct input *input, struct host *host) {
  return host_failed(host, HOST_FAILED, "cannot read %s: %s", input->name, strerror(errno));
}

/* Reads until `wanted` bytes are there or the input ends; offset UNSET: from the current place. */
static bool read_fully(struct input *input, struct host *host, uint64_t offset, size_t wanted, size_t *got) {
  *got = 0;
  while (*got < wanted) {
    unsigned char *to = input->buffer + *got;
    ssize_t count = offset == UNSET ? read(input->fd, to, wanted - *got)
                                    : pread(input->fd, to, wanted - *got, (off_t)(offset + *got));
    if (count == 0) break;
    if (count > 0) {
      *got += (size_t)count;
    } else if (errno != EINTR) {
      return read_failed(input, host);
    }
  }
  return true;
}

static void pad(unsigned char *buffer, size_t got) {
  size_t padded = (got + STS_BLOCK_SIZE - 1) / STS_BLOCK_SIZE * STS_BLOCK_SIZE;
  memset(buffer + got, 0, padded - got);
}

static void take_generated(struct input *input, uint64_t offset, size_t wanted, const unsigned char **data, size_t *got) {
  uint64_t left = offset < input->length ? input->length - offset : 0;
  *got = wanted < left ? wanted : (size_t)left;
  if (input->shape.on) {
    shape_copy(&input->shape, offset, input->buffer, *got);
    pad(input->buffer, *got);
    *data = input->buffer;
    return;
  }
  size_t whole = *got;
  *data = pattern_at(input->pattern, offset, &whole);
  if (whole == *got && *got % STS_BLOCK_SIZE == 0) return; /* straight from the pattern: no copy */
  pattern_copy(input->pattern, offset, input->buffer, *got);
  pad(input->buffer, *got);
  *data = input->buffer;
}

bool input_skip(struct input *input, struct host *host, uint64_t offset, uint64_t *reached) {
  if (input->length != UNSET) {
    *reached = offset < input->length ? offset : input->length;
    if (input->fd < 0 || lseek(input->fd, (off_t)*reached, SEEK_SET) >= 0) return true;
    return read_failed(input, host);
  }
  for (*reached = 0; *reached < offset;) {
    uint64_t left = offset - *reached;
    size_t got = 0, wanted = left < input->buffer_bytes ? (size_t)left : input->buffer_bytes;
    if (!read_fully(input, host, UNSET, wanted, &got)) return false;
    *reached += got;
    if (got < wanted) break;
  }
  return true;
}

bool input_next(struct input *input, struct host *host, uint64_t offset, size_t wanted, const unsigned char **data,
                size_t *got) {
  if (input->fd < 0) {
    take_generated(input, offset, wanted, data, got);
    return true;
  }
  if (!read_fully(input, host, UNSET, wanted, got)) return false;
  pad(input->buffer, *got);
  *data = input->buffer;
  return true;
}

bool input_at(struct input *input, struct host *host, uint64_t offset, size_t wanted, const unsigned char **data,
              size_t *got) {
  if (input->fd < 0) {
    take_generated(input, offset, wanted, data, got);
    return true;
  }
  if (!read_fully(input, host, offset, wanted, got)) return false;
  pad(input->buffer, *got);
  *data = input->buffer;
  return true;
}
