// copy_rate.h: what one core of this machine copies. Free of Node-API.
#ifndef VAST_OST_COPY_RATE_H
#define VAST_OST_COPY_RATE_H

#include <cstdint>

namespace vast_ost {

/**
 * Bytes a second that the calling thread's core copies past the caches, as the plug-in does into a slot: the best of many short
 * tries, so that other work on the machine hardly counts. Takes one or two milliseconds. −ENOMEM; −ENOTSUP where it cannot be told:
 * no stores past the caches, or too coarse a clock.
 */
int64_t copyRate();

}  // namespace vast_ost

#endif
