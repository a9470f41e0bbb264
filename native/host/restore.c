/*
 * restore.c: what bpdm does for a restore: open the image for reading, read it in buffers, hand the bytes on. For tests
 * and benches also: ranges, random ranges, comparing, throwing away.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"
#include "input.h"
#include "length-note.h"
#include "status.h"
#include "streams.h"
#include "words.h"

struct restore {
  struct host host;
  struct checker checker;
  const struct options *options;
  struct stream *stream;
  sts_image_t *image;
  int out; /* -1: nothing is written */
  const char *out_name;
  unsigned char *buffer;
};

static bool open_for_read(struct restore *restore) {
  struct host *host = &restore->host;
  struct stream *stream = restore->stream;
  uint64_t began = clock_ns();
  int status = host->plugin.open_image(host->server, restore->options->lsu, &stream->def, STS_MODE_READ, &restore->image);
  stream_called(stream, CALL_OPEN, began);
  if (!host_call(host, status, "stsp_open_image")) return false;
  sts_image_info_t info;
  if (!host_call(host, host->plugin.get_image_prop(restore->image, &info), "stsp_get_image_prop")) return false;
  stream->state = info.imo_status;
  stream->size = stream->length = info.imo_size;
  return restore->options->raw || length_note_read(host, restore->image, info.imo_size, &stream->length);
}

/* One call; `*got` of it are good and, where asked for, equal to what they should be. */
static bool read_piece(struct restore *restore, uint64_t offset, size_t length, size_t *got) {
  struct stream *stream = restore->stream;
  uint64_t count = 0, began = clock_ns();
  int status = restore->host.plugin.read_image(restore->image, restore->buffer, length, offset, &count);
  stream_called(stream, CALL_READ, began);
  stream->reads++;
  if (!host_call(&restore->host, status, "stsp_read_image")) return false;
  if (count < length && offset + count < stream->size) {
    return host_failed(&restore->host, HOST_FAILED, "stsp_read_image gave %llu of %zu bytes at offset %llu of image %s (%llu bytes) without a failure",
                       (unsigned long long)count, length, (unsigned long long)offset, stream->def.img_basename,
                       (unsigned long long)stream->size);
  }
  *got = (size_t)count;
  stream->bytes += count;
  stream_moved(restore->options, stream, count);
  stream_pause(restore->options, stream, count);
  return checker_check(&restore->checker, &restore->host, stream->def.img_basename, offset, restore->buffer, *got);
}

static bool write_out(struct restore *restore, size_t length) {
  if (restore->out < 0) return true;
  uint64_t began = clock_ns();
  for (size_t done = 0; done < length;) {
    ssize_t count = write(restore->out, restore->buffer + done, length - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return host_failed(&restore->host, HOST_FAILED, "cannot write %s: %s", restore->out_name, strerror(errno));
    done += (size_t)count;
  }
  restore->stream->file_ns += clock_ns() - began;
  return true;
}

static bool read_in_order(struct restore *restore) {
  const struct options *options = restore->options;
  uint64_t length = restore->stream->length;
  uint64_t at = options->offset == UNSET ? 0 : options->offset;
  uint64_t end = options->length == UNSET || at > length || options->length > length - at ? length : at + options->length;
  restore->stream->offset = at;
  while (at < end) {
    size_t got = 0, wanted = end - at < options->buffer_bytes ? (size_t)(end - at) : (size_t)options->buffer_bytes;
    if (!read_piece(restore, at, wanted, &got) || !write_out(restore, got)) return false;
    if (got == 0) break;
    at += got;
  }
  return true;
}

/*
 * --random-reads N: N ranges drawn from --seed, of 1 to --read-max bytes, anywhere in the image; with --read-bytes B the
 * i-th one is of B bytes at B × (word(2 i) mod the whole B in the image).
 */
static bool read_at_random(struct restore *restore) {
  const struct options *options = restore->options;
  uint64_t length = restore->stream->length, fixed = options->read_bytes;
  if (fixed != UNSET && length < fixed) {
    return host_failed(&restore->host, HOST_FAILED, "image %s has %llu bytes; give --read-bytes less than that",
                       restore->stream->def.img_basename, (unsigned long long)length);
  }
  for (uint64_t i = 0; i < options->random_reads && length > 0; i++) {
    uint64_t place = words_at(options->seed, 2 * i), size = words_at(options->seed, 2 * i + 1) % options->read_max + 1;
    uint64_t at = fixed == UNSET ? place % length : place % (length / fixed) * fixed;
    size_t got = 0, wanted = (size_t)(fixed == UNSET ? size : fixed);
    if (wanted > length - at) wanted = (size_t)(length - at);
    if (!read_piece(restore, at, wanted, &got)) return false;
  }
  return true;
}

static bool open_output(struct restore *restore) {
  const struct options *options = restore->options;
  restore->out = -1;
  if (options->discard || options->random_reads != UNSET) return true;
  restore->out_name = "standard output";
  if (options->output == NULL || strcmp(options->output, "-") == 0) {
    restore->out = STDOUT_FILENO;
    return true;
  }
  char path[4096];
  restore->out_name = options->output;
  if (!path_of_stream(options->output, restore->stream->number, path, sizeof path)) {
    return host_failed(&restore->host, HOST_FAILED, "the path %s is too long", options->output);
  }
  restore->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return restore->out >= 0 ||
         host_failed(&restore->host, HOST_FAILED, "cannot create %s: %s", path, strerror(errno));
}

static bool prepare(struct restore *restore) {
  const struct options *options = restore->options;
  size_t bytes = options->buffer_bytes;
  if (options->random_reads != UNSET && options->read_max > bytes) bytes = options->read_max;
  if (options->read_bytes != UNSET && options->read_bytes > bytes) bytes = options->read_bytes;
  void *buffer = NULL;
  if (posix_memalign(&buffer, 4096, bytes) != 0) {
    return host_failed(&restore->host, HOST_FAILED, "no memory for a buffer of %zu bytes", bytes);
  }
  restore->buffer = buffer;
  return checker_open(&restore->checker, &restore->host, restore->stream->number, bytes);
}

static void finish(struct restore *restore) {
  /* NFS and quotas may tell only now that the output could not be written. */
  if (restore->out > STDOUT_FILENO && close(restore->out) != 0) {
    host_failed(&restore->host, HOST_FAILED, "cannot write %s: %s", restore->out_name, strerror(errno));
  }
  checker_close(&restore->checker);
  free(restore->buffer);
  host_end(&restore->host);
  restore->stream->outcome = restore->host.outcome;
}

static void restore_one(const struct options *options, struct stream *stream) {
  struct restore restore = {.options = options, .stream = stream, .out = -1, .checker = {.fd = -1}};
  uint64_t began = clock_ns();
  if (host_connect(&restore.host, options, stream->number) && prepare(&restore)) {
    stream->connect_ns = clock_ns() - began;
    stream_started(stream);
    /* The output is made after the image was found: a wrong name must not empty a file. */
    if (open_for_read(&restore) && open_output(&restore)) {
      if (options->random_reads == UNSET) {
        read_in_order(&restore);
      } else {
        read_at_random(&restore);
      }
    }
    if (restore.image != NULL) {
      uint64_t closing = clock_ns();
      int status = restore.host.plugin.close_image(restore.image, STS_CLOSEF_IH_COMPLETE);
      stream_called(stream, CALL_CLOSE, closing);
      host_call(&restore.host, status, "stsp_close_image");
    }
    stream_ended(stream);
  }
  finish(&restore);
}

int run_restore(const struct options *options) {
  bool silent = options->discard || options->random_reads != UNSET;
  bool to_stdout = !silent && (options->output == NULL || strcmp(options->output, "-") == 0);
  if (to_stdout && options->streams != UNSET && options->streams > 1) {
    fprintf(stderr, "vast-ost-host restore: several streams cannot share standard output; give --output with %%d in it, or --discard\n");
    return EXIT_USAGE;
  }
  if (!silent && !to_stdout && options->streams != UNSET && options->streams > 1 && strstr(options->output, "%d") == NULL) {
    fprintf(stderr, "vast-ost-host restore: %s would be written by %llu streams at once; put %%d into its name\n",
            options->output, (unsigned long long)options->streams);
    return EXIT_USAGE;
  }
  if (options->verify_seed != UNSET) {
    struct pattern *pattern = input_pattern(options);
    if (pattern != NULL && options->streams != UNSET) pattern_fill(pattern);
  }
  return streams_run(options, options->streams == UNSET ? 0 : options->streams, restore_one, to_stdout);
}
