/*
 * handle.c: a fixed table without a lock: a lock could be held by another thread at the moment of a fork, and the child
 * would wait for ever.
 *
 *   handle  =  generation · index (12 bits) · kind (4 bits)
 *   word    =  generation · kind (4 bits): 0 free, 15 being filled
 */
#include "handle.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_BITS 12u
#define KIND_BITS 4u
#define LOW_BITS (INDEX_BITS + KIND_BITS)
#define GENERATION_MASK (UINTPTR_MAX >> LOW_BITS)
#define FILLING 15u

_Static_assert(STSP_HANDLES_MAX == 1u << INDEX_BITS, "index bits");

static struct {
  _Atomic uint64_t word;
  void *_Atomic object; /* written by the thread that fills the entry, before `word` says so */
} table[STSP_HANDLES_MAX];

static _Atomic uint32_t rotor; /* reuse comes late, so that a stale handle meets a free entry rather than a new object */

void *stsp__handle_new(enum stsp__kind kind, void *object) {
  for (uint32_t tries = 0; tries < STSP_HANDLES_MAX; tries++) {
    uint32_t index = atomic_fetch_add_explicit(&rotor, 1, memory_order_relaxed) % STSP_HANDLES_MAX;
    uint64_t word = atomic_load_explicit(&table[index].word, memory_order_relaxed);
    if (word & FILLING) continue;
    uint64_t generation = ((word >> KIND_BITS) + 1) & GENERATION_MASK;
    if (generation == 0) generation = 1; /* no handle is NULL */
    if (!atomic_compare_exchange_strong_explicit(&table[index].word, &word, generation << KIND_BITS | FILLING,
                                                 memory_order_acquire, memory_order_relaxed))
      continue;
    atomic_store_explicit(&table[index].object, object, memory_order_relaxed);
    atomic_store_explicit(&table[index].word, generation << KIND_BITS | (uint64_t)kind, memory_order_release);
    return (void *)((uintptr_t)generation << LOW_BITS | (uintptr_t)index << KIND_BITS | (uintptr_t)kind);
  }
  return NULL;
}

static uint64_t word_of(const void *handle) {
  uintptr_t bits = (uintptr_t)handle;
  return (uint64_t)(bits >> LOW_BITS) << KIND_BITS | (bits & ((1u << KIND_BITS) - 1));
}

static uint32_t index_of(const void *handle) { return (uint32_t)((uintptr_t)handle >> KIND_BITS) % STSP_HANDLES_MAX; }

void *stsp__handle_get(const void *handle, enum stsp__kind kind) {
  uint64_t word = word_of(handle);
  if ((word & FILLING) != (uint64_t)kind) return NULL;
  uint32_t index = index_of(handle);
  if (atomic_load_explicit(&table[index].word, memory_order_acquire) != word) return NULL;
  return atomic_load_explicit(&table[index].object, memory_order_relaxed);
}

void *stsp__handle_take(const void *handle, enum stsp__kind kind) {
  void *object = stsp__handle_get(handle, kind);
  if (!object) return NULL;
  uint64_t word = word_of(handle);
  uint64_t freed = word & ~(uint64_t)FILLING;
  if (!atomic_compare_exchange_strong_explicit(&table[index_of(handle)].word, &word, freed, memory_order_acq_rel,
                                               memory_order_relaxed))
    return NULL;
  return object;
}
