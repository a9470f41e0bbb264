/*
 * backup.c: what bptm does for one job: create the image, write it in buffers from the front, close it complete.
 * It stops early for tests: --incomplete-at, --die-at, --hold-at, --hold. --resume goes on with a pending image.
 */
#include "commands.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "length-note.h"
#include "shuffle.h"
#include "status.h"
#include "streams.h"

struct backup {
  struct host host;
  struct input input;
  const struct options *options;
  struct stream *stream;
  sts_image_t *image;
  uint64_t offset;     /* in the image: all below it is written */
  uint64_t flushed_at; /* offset at the last flush */
  bool input_ended;
};

static bool timed(struct backup *backup, int status, const char *call, uint64_t began, enum call_kind kind) {
  stream_called(backup->stream, kind, began);
  return host_call(&backup->host, status, call);
}

static bool make_lsu(struct backup *backup) {
  int status = backup->host.plugin.create_lsu(backup->host.server, backup->options->lsu);
  return status == STS_EEXIST || host_call(&backup->host, status, "stsp_create_lsu");
}

/* Creates the image, or opens the pending one and finds how much of it is durable. */
static bool open_for_write(struct backup *backup) {
  struct host *host = &backup->host;
  const struct options *options = backup->options;
  struct stream *stream = backup->stream;
  uint64_t began = clock_ns();
  if (!options->resume) {
    int status = host->plugin.create_image(host->server, options->lsu, &stream->def, 0, &backup->image);
    return timed(backup, status, "stsp_create_image", began, CALL_CREATE);
  }
  int status = host->plugin.open_image(host->server, options->lsu, &stream->def, STS_MODE_WRITE, &backup->image);
  if (!timed(backup, status, "stsp_open_image", began, CALL_OPEN)) return false;
  sts_image_info_t info;
  if (!host_call(host, host->plugin.get_image_prop(backup->image, &info), "stsp_get_image_prop")) return false;
  uint64_t durable = info.imo_durable / STS_BLOCK_SIZE * STS_BLOCK_SIZE, reached = 0;
  if (!input_skip(&backup->input, host, durable, &reached)) return false;
  if (durable - reached >= STS_BLOCK_SIZE) {
    return host_failed(host, HOST_FAILED,
                       "%s holds %llu bytes, but %llu of image %s are durable already: it is not the input of that backup",
                       backup->input.name, (unsigned long long)reached, (unsigned long long)durable,
                       stream->def.img_basename);
  }
  backup->offset = backup->flushed_at = stream->offset = durable;
  stream->length = reached;
  backup->input_ended = reached < durable; /* only the padding of the last block lies between */
  return true;
}

static bool write_piece(struct backup *backup, const unsigned char *data, size_t got, uint64_t offset) {
  struct stream *stream = backup->stream;
  uint64_t padded = (got + STS_BLOCK_SIZE - 1) / STS_BLOCK_SIZE * STS_BLOCK_SIZE, written = 0, began = clock_ns();
  int status = backup->host.plugin.write_image(backup->image, NULL, data, padded, offset, &written);
  if (!timed(backup, status, "stsp_write_image", began, CALL_WRITE)) return false;
  if (written != padded) {
    return host_failed(&backup->host, HOST_FAILED, "stsp_write_image took %llu of %llu bytes at offset %llu without a failure",
                       (unsigned long long)written, (unsigned long long)padded, (unsigned long long)offset);
  }
  stream->writes++;
  stream->bytes += got;
  stream_moved(backup->options, stream, got);
  stream_pause(backup->options, stream, got);
  return true;
}

static bool flush_when_due(struct backup *backup) {
  uint64_t every = backup->options->flush_every;
  if (every == UNSET || backup->offset - backup->flushed_at < every) return true;
  uint64_t began = clock_ns();
  backup->flushed_at = backup->offset;
  return timed(backup, backup->host.plugin.flush_image(backup->image), "stsp_flush_image", began,
               CALL_FLUSH);
}

/* Tells that we hold, and waits for a line on standard input; its end counts as one. */
static void hold(struct backup *backup) {
  printf("{\"event\":\"holding\",\"stream\":%llu,\"offset\":%llu}\n", (unsigned long long)backup->stream->number,
         (unsigned long long)backup->offset);
  fflush(stdout);
  for (char c = 0; c != '\n';) {
    if (read(STDIN_FILENO, &c, 1) <= 0) break;
  }
}

static void stop_points(struct backup *backup) {
  if (backup->options->hold_at == backup->offset) hold(backup);
  if (backup->options->die_at == backup->offset) kill(getpid(), SIGKILL);
}

/* Bytes to write next: a buffer, or less up to the next place where something is to happen. */
static size_t next_length(const struct backup *backup) {
  const struct options *options = backup->options;
  const uint64_t stops[] = {options->incomplete_at, options->die_at, options->hold_at};
  uint64_t length = backup->input.buffer_bytes;
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    if (stops[i] == UNSET || stops[i] < backup->offset) continue;
    bool last = stops[i] == options->incomplete_at;
    if (stops[i] == backup->offset && !last) continue;
    if (stops[i] - backup->offset < length) length = stops[i] - backup->offset;
  }
  return (size_t)length;
}

static bool write_in_order(struct backup *backup) {
  stop_points(backup);
  while (!backup->input_ended) {
    size_t wanted = next_length(backup), got = 0;
    if (wanted == 0) return true; /* --incomplete-at is reached */
    const unsigned char *data = NULL;
    uint64_t began = clock_ns();
    if (!input_next(&backup->input, &backup->host, backup->offset, wanted, &data, &got)) return false;
    backup->stream->file_ns += clock_ns() - began;
    backup->input_ended = got < wanted;
    if (got == 0) break;
    if (!write_piece(backup, data, got, backup->offset)) return false;
    backup->stream->length = backup->offset + got;
    backup->offset += (got + STS_BLOCK_SIZE - 1) / STS_BLOCK_SIZE * STS_BLOCK_SIZE;
    stop_points(backup);
    if (!flush_when_due(backup)) return false;
  }
  return true;
}

/* Every buffer once, in an order drawn from the seed; --incomplete-at and --die-at count the bytes written so far. */
static bool write_shuffled(struct backup *backup) {
  uint64_t length = backup->input.length, buffer = backup->input.buffer_bytes;
  if (length == UNSET) {
    return host_failed(&backup->host, HOST_FAILED, "--random-writes needs a file or --generate, %s has no known length",
                       backup->input.name);
  }
  size_t count = (size_t)((length + buffer - 1) / buffer);
  uint32_t *order = shuffle_order(count, backup->options->random_writes_seed);
  if (order == NULL) return host_failed(&backup->host, HOST_FAILED, "no memory for an order of %zu writes", count);
  bool going = true;
  for (size_t i = 0; i < count && going; i++) {
    stop_points(backup);
    if (backup->options->incomplete_at != UNSET && backup->offset >= backup->options->incomplete_at) break;
    const unsigned char *data = NULL;
    size_t got = 0;
    uint64_t at = (uint64_t)order[i] * buffer;
    going = input_at(&backup->input, &backup->host, at, (size_t)buffer, &data, &got) &&
            write_piece(backup, data, got, at);
    backup->offset += got;
    going = going && flush_when_due(backup);
  }
  free(order);
  backup->stream->length = length;
  return going;
}

/* Closes in every case: after a failure incomplete, as bptm does, so that the image can be resumed or deleted. */
static void close_image(struct backup *backup, bool good) {
  struct host *host = &backup->host;
  bool complete = good && backup->options->incomplete_at == UNSET;
  if (complete) complete = length_note_write(host, backup->image, backup->stream->length);
  if (good && backup->options->hold) hold(backup);
  uint64_t began = clock_ns();
  int flags = complete ? STS_CLOSEF_IH_COMPLETE : STS_CLOSEF_IH_INCOMPLETE;
  timed(backup, host->plugin.close_image(backup->image, flags), "stsp_close_image", began, CALL_CLOSE);
  backup->image = NULL;
}

static void look_at_result(struct backup *backup) {
  sts_image_info_t info;
  struct host *host = &backup->host;
  int status = host->plugin.get_image_prop_byname(host->server, backup->options->lsu, &backup->stream->def, &info);
  if (!host_call(host, status, "stsp_get_image_prop_byname")) return;
  backup->stream->state = info.imo_status;
  backup->stream->size = info.imo_size;
}

static void backup_one(const struct options *options, struct stream *stream) {
  struct backup backup = {.options = options, .stream = stream, .input = {.fd = -1}};
  size_t file = stream->number == 0 || options->positionals_count == 1 ? 0 : stream->number - 1;
  const char *path = options->positionals_count == 0 ? NULL : options->positionals[file];
  uint64_t began = clock_ns();
  if (host_connect(&backup.host, options, stream->number) && (!options->create_lsu || make_lsu(&backup)) &&
      input_open(&backup.input, &backup.host, path, stream->number)) {
    stream->connect_ns = clock_ns() - began;
    stream_started(stream);
    bool good = open_for_write(&backup);
    if (good) good = options->random_writes_seed == UNSET ? write_in_order(&backup) : write_shuffled(&backup);
    if (backup.image != NULL) close_image(&backup, good);
    stream_ended(stream);
    if (backup.host.outcome.status == STS_EOK) look_at_result(&backup);
  }
  input_close(&backup.input);
  host_end(&backup.host);
  stream->outcome = backup.host.outcome;
}

int run_backup(const struct options *options) {
  uint64_t count = options->streams == UNSET ? 0 : options->streams;
  if (options->positionals_count > 1) {
    if (count != 0 && count != options->positionals_count) {
      fprintf(stderr, "vast-ost-host backup: %zu files for %llu streams; give one file a stream, or one with %%d in it\n",
              options->positionals_count, (unsigned long long)count);
      return EXIT_USAGE;
    }
    count = options->positionals_count;
  }
  bool from_stdin = options->generate_bytes == UNSET &&
                    (options->positionals_count == 0 || strcmp(options->positionals[0], "-") == 0);
  if (from_stdin && (count > 1 || options->hold || options->hold_at != UNSET)) {
    fprintf(stderr, "vast-ost-host backup: standard input cannot be shared with --streams or --hold; give a file or --generate\n");
    return EXIT_USAGE;
  }
  /* Before the fork: one pattern for all streams, and no filling inside the measured time. */
  if (options->generate_bytes != UNSET && options->generate_bytes >= PATTERN_BYTES) {
    struct pattern *pattern = input_pattern(options);
    if (pattern != NULL) pattern_fill(pattern);
  }
  return streams_run(options, count, backup_one, false);
}
