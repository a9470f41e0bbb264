#include "checker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "status.h"

bool checker_open(struct checker *checker, struct host *host, uint64_t stream, size_t buffer_bytes) {
  const struct options *options = host->options;
  *checker = (struct checker){.fd = -1, .buffer_bytes = buffer_bytes};
  if (options->verify_seed != UNSET) {
    checker->name = "the generated data";
    checker->pattern = input_pattern(options);
    if (checker->pattern == NULL) return host_failed(host, HOST_FAILED, "no memory for the pattern of --verify-generated");
    checker->shape = input_shape(options, checker->pattern, stream);
  }
  if (options->compare == NULL) return true;
  char path[4096];
  checker->name = options->compare;
  if (!path_of_stream(options->compare, stream, path, sizeof path)) {
    return host_failed(host, HOST_FAILED, "the path %s is too long", options->compare);
  }
  checker->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (checker->fd < 0) return host_failed(host, HOST_FAILED, "cannot open %s: %s", path, strerror(errno));
  checker->buffer = malloc(buffer_bytes);
  return checker->buffer != NULL || host_failed(host, HOST_FAILED, "no memory for a buffer of %zu bytes", buffer_bytes);
}

void checker_close(struct checker *checker) {
  if (checker->fd >= 0) close(checker->fd);
  free(checker->buffer);
  checker->fd = -1;
  checker->buffer = NULL;
}

static bool mismatch(struct checker *checker, struct host *host, const char *image, uint64_t offset) {
  return host_failed(host, HOST_MISMATCH, "image %s differs from %s at offset %llu", image, checker->name,
                     (unsigned long long)offset);
}

static bool check_file(struct checker *checker, struct host *host, const char *image, uint64_t offset,
                       const unsigned char *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    size_t wanted = length - done < checker->buffer_bytes ? length - done : checker->buffer_bytes;
    ssize_t got = pread(checker->fd, checker->buffer, wanted, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return host_failed(host, HOST_FAILED, "cannot read %s: %s", checker->name, strerror(errno));
    if (got == 0) return mismatch(checker, host, image, offset + done);
    if (memcmp(checker->buffer, bytes + done, (size_t)got) != 0) {
      size_t i = 0;
      while (checker->buffer[i] == bytes[done + i]) i++;
      return mismatch(checker, host, image, offset + done + i);
    }
    done += (size_t)got;
  }
  return true;
}

bool checker_check(struct checker *checker, struct host *host, const char *image, uint64_t offset, const void *bytes,
                   size_t length) {
  if (checker->pattern != NULL) {
    size_t good = checker->shape.on ? shape_mismatch(&checker->shape, offset, bytes, length)
                                    : pattern_mismatch(checker->pattern, offset, bytes, length);
    if (good < length) return mismatch(checker, host, image, offset + good);
  }
  return checker->fd < 0 || check_file(checker, host, image, offset, bytes, length);
}
