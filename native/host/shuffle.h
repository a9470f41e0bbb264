/* shuffle.h: a seeded order of 0 … count - 1. */
#ifndef HOST_SHUFFLE_H
#define HOST_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

/* NULL: no memory, or count above 2^32 - 1. The caller frees it. */
uint32_t *shuffle_order(size_t count, uint64_t seed);

#endif
