/* clock.h: time and CPU time. */
#ifndef HOST_CLOCK_H
#define HOST_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void); /* monotonic, the same clock in every process */

struct cpu_time {
  uint64_t user_ns;
  uint64_t system_ns;
};
struct cpu_time cpu_now(void); /* of this process, all threads */

#endif
