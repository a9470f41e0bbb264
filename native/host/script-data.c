/*
 * script-data.c: data in and out. There is one buffer of 256 MiB, mapped and touched only as far as used; lengths above
 * it are handed to the plug-in as they are, with that buffer: a call that must be refused does not touch it.
 */
#include <string.h>
#include <sys/mman.h>

#include "crc32.h"
#include "script-calls.h"
#include "script-expect.h"
#include "words.h"

#define GUARD_BYTES 64u
#define GUARD_VALUE 0xa5
#define UNREAD_VALUE 0xee /* what a read must overwrite */
#define PAGE_BYTES 4096u
#define HEX_MAX 65536u

static bool take_buffer(struct script *script) {
  if (script->buffer != NULL) return true;
  size_t bytes = SCRIPT_BUFFER_MAX + 2 * PAGE_BYTES;
  void *buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (buffer == MAP_FAILED) return script_error(script, "no memory");
  script->buffer = buffer;
  return true;
}

/* What comes first in every data call: its image and its numbers. */
struct data_call {
  void *image;
  struct session_object *session;
  uint64_t offset, length, times, misalign;
  unsigned char *buffer; /* NULL with buffer=null */
  size_t room;           /* bytes of it that may be filled: length, at most SCRIPT_BUFFER_MAX */
};

static bool take_data_call(struct script *script, const struct words *words, struct data_call *call) {
  *call = (struct data_call){.times = 1};
  if (!object_get(script, OBJECT_IMAGE, words->at[0], &call->image, &call->session) ||
      !words_number(script, words->at[1], &call->offset) || !words_number(script, words->at[2], &call->length) ||
      !words_option_number(script, words, "times", &call->times) ||
      !words_option_number(script, words, "misalign", &call->misalign) || !take_buffer(script)) {
    return false;
  }
  if (call->misalign >= PAGE_BYTES) return script_error(script, "misalign= takes 0 to 4095");
  call->room = call->length < SCRIPT_BUFFER_MAX ? (size_t)call->length : SCRIPT_BUFFER_MAX;
  call->buffer = words_is_null(words, "buffer") ? NULL : script->buffer + call->misalign;
  return true;
}

static bool take_seed(struct script *script, const char *word, bool *zero, uint64_t *seed) {
  *zero = strcmp(word, "zero") == 0;
  return *zero || words_number(script, word, seed);
}

static void fill(struct data_call *call, bool zero, uint64_t seed, uint64_t gen_offset) {
  if (call->buffer == NULL || call->length > SCRIPT_BUFFER_MAX) return;
  if (zero) {
    memset(call->buffer, 0, call->room);
  } else {
    words_fill(seed, gen_offset, call->buffer, call->room);
  }
}

void script_write(struct script *script, const struct words *words) {
  struct data_call call;
  uint64_t seed = 0, done = 0, total = 0;
  bool zero = false;
  if (!take_data_call(script, words, &call) || !take_seed(script, words->at[3], &zero, &seed)) return;
  uint64_t step = call.length, from = call.offset;
  if (!words_option_number(script, words, "step", &step) || !words_option_number(script, words, "from", &from)) return;
  bool no_written = words_is_null(words, "written");
  int status = STS_EOK;
  uint64_t ns = 0;
  for (; done < call.times && status == STS_EOK; done++) {
    sts_uint64_t written = UINT64_MAX;
    fill(&call, zero, seed, from + done * step);
    script_call_begins(script, call.session);
    status = script->plugin.write_image(call.image, NULL, call.buffer, call.length, call.offset + done * step,
                                        no_written ? NULL : &written);
    ns += script_call_took(script);
    total = no_written || written == UINT64_MAX ? total : total + written;
    if (status != STS_EOK) break;
  }
  script_call_answer(script, status, ns);
  json_number(&script->json, "done", done);
  json_number(&script->json, "written", total);
}

void script_write_bytes(struct script *script, const struct words *words) {
  void *image = NULL;
  struct session_object *session = NULL;
  uint64_t offset = 0;
  char *bytes = NULL;
  size_t length = 0;
  sts_uint64_t written = 0;
  if (!object_get(script, OBJECT_IMAGE, words->at[0], &image, &session) ||
      !words_number(script, words->at[1], &offset) || !words_string(script, words->at[2], &bytes, &length)) {
    return;
  }
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.write_image(image, NULL, bytes, length, offset, &written));
  json_number(&script->json, "written", written);
}

/* Before a read: what it must overwrite, and behind it what it must not touch. */
static void prepare_read(struct data_call *call) {
  if (call->buffer == NULL) return;
  if (call->length <= SCRIPT_BUFFER_MAX) memset(call->buffer, UNREAD_VALUE, call->room);
  memset(call->buffer + call->room, GUARD_VALUE, GUARD_BYTES);
}

static bool guard_touched(const struct data_call *call) {
  for (size_t i = 0; call->buffer != NULL && i < GUARD_BYTES; i++) {
    if (call->buffer[call->room + i] != GUARD_VALUE) return true;
  }
  return false;
}

void script_read(struct script *script, const struct words *words) {
  struct data_call call;
  struct expect expect;
  if (!take_data_call(script, words, &call) || !expect_begin(script, &expect, words_option(words, "expect"))) return;
  bool no_got = words_is_null(words, "got"), overrun = false, impossible = false;
  uint64_t total = 0, done = 0, ns = 0;
  size_t last = 0;
  uint32_t crc = 0;
  int status = STS_EOK;
  while (done < call.times) {
    sts_uint64_t got = 0;
    prepare_read(&call);
    script_call_begins(script, call.session);
    status = script->plugin.read_image(call.image, call.buffer, call.length, call.offset + total, no_got ? NULL : &got);
    ns += script_call_took(script);
    overrun = overrun || guard_touched(&call);
    impossible = got > call.length || got > call.room;
    if (status != STS_EOK || impossible) break;
    last = call.buffer == NULL ? 0 : (size_t)got;
    crc = crc32_of(crc, call.buffer, last);
    expect_bytes(&expect, call.offset + total, call.buffer, last);
    total += got;
    done++;
    if (got < call.length) break;
  }
  script_call_answer(script, status, ns);
  json_number(&script->json, "done", done);
  json_number(&script->json, "got", total);
  json_number(&script->json, "crc32", crc);
  json_bool(&script->json, "overrun", overrun || impossible);
  if (status != STS_EOK) return;
  expect_answer(script, &expect, call.offset + total);
  if (words_option(words, "hex") != NULL && last <= HEX_MAX) json_hex(&script->json, "hex", call.buffer, last);
}

/* Metadata calls take 32-bit numbers. */
static bool fits_metadata(struct script *script, uint64_t offset, uint64_t length) {
  return (offset <= UINT32_MAX && length <= UINT32_MAX) ||
         script_error(script, "offsets and lengths of metadata have 32 bits");
}

void script_meta_write(struct script *script, const struct words *words) {
  struct data_call call;
  uint64_t seed = 0;
  bool zero = false;
  sts_uint32_t written = 0;
  if (!take_data_call(script, words, &call) || !take_seed(script, words->at[3], &zero, &seed) ||
      !fits_metadata(script, call.offset, call.length)) {
    return;
  }
  fill(&call, zero, seed, call.offset);
  script_call_begins(script, call.session);
  int status = script->plugin.write_image_meta(call.image, call.buffer, (sts_uint32_t)call.length,
                                               (sts_uint32_t)call.offset, words_is_null(words, "written") ? NULL : &written);
  script_call_ended(script, status);
  json_number(&script->json, "written", written);
}

void script_meta_write_bytes(struct script *script, const struct words *words) {
  void *image = NULL;
  struct session_object *session = NULL;
  uint64_t offset = 0;
  char *bytes = NULL;
  size_t length = 0;
  sts_uint32_t written = 0;
  if (!object_get(script, OBJECT_IMAGE, words->at[0], &image, &session) ||
      !words_number(script, words->at[1], &offset) || !words_string(script, words->at[2], &bytes, &length) ||
      !fits_metadata(script, offset, length)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.write_image_meta(image, bytes, (sts_uint32_t)length, (sts_uint32_t)offset, &written);
  script_call_ended(script, status);
  json_number(&script->json, "written", written);
}

void script_meta_read(struct script *script, const struct words *words) {
  struct data_call call;
  struct expect expect;
  sts_uint32_t got = 0;
  if (!take_data_call(script, words, &call) || !fits_metadata(script, call.offset, call.length) ||
      !expect_begin(script, &expect, words_option(words, "expect"))) {
    return;
  }
  prepare_read(&call);
  script_call_begins(script, call.session);
  int status = script->plugin.read_image_meta(call.image, call.buffer, (sts_uint32_t)call.length,
                                              (sts_uint32_t)call.offset, words_is_null(words, "got") ? NULL : &got);
  script_call_ended(script, status);
  json_number(&script->json, "got", got);
  json_bool(&script->json, "overrun", guard_touched(&call) || got > call.room);
  if (status != STS_EOK || got > call.room || call.buffer == NULL) return;
  json_number(&script->json, "crc32", crc32_of(0, call.buffer, got));
  expect_bytes(&expect, call.offset, call.buffer, got);
  expect_answer(script, &expect, call.offset + got);
  if (got <= HEX_MAX) json_hex(&script->json, "hex", call.buffer, got);
}

/* CRC-32 of generated data: for a test that keeps a model of the image without making the bytes itself. */
void script_crc(struct script *script, const struct words *words) {
  uint64_t seed = 0, offset = 0, length = 0;
  bool zero = false;
  if (!take_seed(script, words->at[0], &zero, &seed) || !words_number(script, words->at[1], &offset) ||
      !words_number(script, words->at[2], &length)) {
    return;
  }
  unsigned char piece[65536];
  uint32_t crc = 0;
  memset(piece, 0, sizeof piece);
  for (uint64_t done = 0; done < length;) {
    size_t bytes = length - done < sizeof piece ? (size_t)(length - done) : sizeof piece;
    if (!zero) words_fill(seed, offset + done, piece, bytes);
    crc = crc32_of(crc, piece, bytes);
    done += bytes;
  }
  script_done(script);
  json_number(&script->json, "crc32", crc);
}
