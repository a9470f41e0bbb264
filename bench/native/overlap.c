/* overlap.c: one thread that copies, and lanes that keep the device busy, over three slots in turn. */
#define _GNU_SOURCE
#include "overlap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../native/plugin/copy.h"
#include "move.h"

/* As the engine's: a device has work after the time in which so much is copied, and the last copy is as short. */
#define SHORT_BYTES ((size_t)4 << 20)

struct block {
  uint64_t offset;
  size_t length;
};

struct flow {
  const struct overlap *overlap;
  struct block *blocks;
  size_t count, taken; /* by lanes */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int full[OVERLAP_SLOTS]; /* has a block's bytes: to be written, or to be copied out */
};

/* Sizes from one end: 4, 8, 16, 32 and 64 MiB, then whole ones. The other end is whatever is left. */
static struct block *plan(const struct overlap *overlap, size_t *count) {
  const uint64_t bytes = overlap->bytes;
  struct block *blocks = calloc(bytes / overlap->block_bytes + 16, sizeof *blocks);
  check(blocks == NULL, "memory");
  size_t n = 0, length = SHORT_BYTES;
  for (uint64_t at = 0; at < bytes; n++) {
    if (length > overlap->block_bytes) length = overlap->block_bytes;
    blocks[n] = (struct block){at, bytes - at < length ? (size_t)(bytes - at) : length};
    at += blocks[n].length;
    length *= 2;
  }
  if (overlap->reading) { /* short at the end: the same row turned round */
    for (size_t i = 0; i < n - 1 - i; i++) {
      const struct block one = blocks[i];
      blocks[i] = blocks[n - 1 - i];
      blocks[n - 1 - i] = one;
    }
    uint64_t at = 0;
    for (size_t i = 0; i < n; at += blocks[i].length, i++) blocks[i].offset = at;
  }
  *count = n;
  return blocks;
}

static unsigned char *slot_of(const struct flow *flow, size_t block) {
  return flow->overlap->slots + block % OVERLAP_SLOTS * flow->overlap->block_bytes;
}

static void wait_until(struct flow *flow, size_t block, int full) {
  pthread_mutex_lock(&flow->mutex);
  while (flow->full[block % OVERLAP_SLOTS] != full) pthread_cond_wait(&flow->changed, &flow->mutex);
  pthread_mutex_unlock(&flow->mutex);
}

static void set(struct flow *flow, size_t block, int full) {
  pthread_mutex_lock(&flow->mutex);
  flow->full[block % OVERLAP_SLOTS] = full;
  pthread_cond_broadcast(&flow->changed);
  pthread_mutex_unlock(&flow->mutex);
}

static void *lane(void *argument) {
  struct flow *flow = argument;
  const struct overlap *overlap = flow->overlap;
  for (;;) {
    /* Taken when its slot is as it has to be: never a block whose slot still has the one before. */
    pthread_mutex_lock(&flow->mutex);
    while (flow->taken < flow->count && flow->full[flow->taken % OVERLAP_SLOTS] != (overlap->reading ? 0 : 1))
      pthread_cond_wait(&flow->changed, &flow->mutex);
    const size_t block = flow->taken;
    if (block < flow->count) {
      flow->taken++;
      flow->full[block % OVERLAP_SLOTS] = -1; /* on its way */
    } else pthread_cond_broadcast(&flow->changed);
    pthread_mutex_unlock(&flow->mutex);
    if (block >= flow->count) return NULL;
    move(overlap->fd, slot_of(flow, block), flow->blocks[block].length, flow->blocks[block].offset, overlap->reading);
    set(flow, block, overlap->reading ? 1 : 0);
  }
}

static void copy_block(const struct flow *flow, size_t block) {
  const struct overlap *overlap = flow->overlap;
  const size_t length = flow->blocks[block].length;
  unsigned char *slot = slot_of(flow, block);
  for (size_t at = 0; at < length; at += overlap->buffer_bytes) {
    const size_t n = length - at < overlap->buffer_bytes ? length - at : overlap->buffer_bytes;
    if (overlap->reading) {
      memcpy(overlap->host, slot + at, n);
      __asm__ volatile("" : : "r"(overlap->host) : "memory"); /* the host program looks at it */
    } else stsp__copy_through(slot + at, overlap->host + (flow->blocks[block].offset + at) % overlap->block_bytes, n);
  }
}

void overlap_run(const struct overlap *overlap) {
  struct flow flow = {.overlap = overlap, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  pthread_t threads[OVERLAP_LANES_MAX];
  flow.blocks = plan(overlap, &flow.count);
  for (int i = 0; i < overlap->lanes; i++) check(pthread_create(&threads[i], NULL, lane, &flow) != 0, "thread");
  for (size_t block = 0; block < flow.count; block++) {
    wait_until(&flow, block, overlap->reading ? 1 : 0);
    copy_block(&flow, block);
    set(&flow, block, overlap->reading ? 0 : 1);
  }
  for (int i = 0; i < overlap->lanes; i++) pthread_join(threads[i], NULL);
  free(flow.blocks);
}
