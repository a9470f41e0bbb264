#include "shuffle.h"

#include <stdlib.h>

#include "words.h"

/* Fisher and Yates; the numbers are the words of the seed. The modulo's bias does not matter for a test's order. */
uint32_t *shuffle_order(size_t count, uint64_t seed) {
  if (count > UINT32_MAX) return NULL;
  uint32_t *order = malloc((count + 1) * sizeof *order);
  if (order == NULL) return NULL;
  for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
  for (size_t left = count; left > 1; left--) {
    size_t other = (size_t)(words_at(seed, left) % left);
    uint32_t moved = order[left - 1];
    order[left - 1] = order[other];
    order[other] = moved;
  }
  return order;
}
