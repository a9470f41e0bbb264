/*
 * latency.h: how long calls took: a histogram of fixed size, no memory and no lock for a call. Each power of two of
 * nanoseconds has 32 buckets of equal width, so that a percentile is at most 1/32 above the true one, never below it.
 */
#ifndef HOST_LATENCY_H
#define HOST_LATENCY_H

#include <stdint.h>

#include "json.h"

#define LATENCY_FINE 5 /* 2^5 buckets a power of two */
#define LATENCY_TOP 40 /* 2^40 ns are 18 minutes; what is longer counts in the last bucket, its maximum is exact */
#define LATENCY_BUCKETS ((LATENCY_TOP - LATENCY_FINE + 1) << LATENCY_FINE)

struct latency {
  uint64_t n, sum_ns, max_ns;
  uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);

/* The time that `thousandths` of 1000 calls do not exceed, as the upper end of its bucket; 0: there was no call. */
uint64_t latency_at(const struct latency *latency, uint64_t thousandths);

/* {"call":…,"n":…,"p50_us":…,"p90_us":…,"p99_us":…,"p999_us":…,"max_us":…} inside the array that is open. */
void latency_report(struct json *json, const char *call, const struct latency *latency);

#endif
