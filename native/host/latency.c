#include "latency.h"

static unsigned bucket_of(uint64_t ns) {
  if (ns < 1u << LATENCY_FINE) return (unsigned)ns;
  unsigned power = 63 - (unsigned)__builtin_clzll(ns);
  if (power >= LATENCY_TOP) return LATENCY_BUCKETS - 1;
  unsigned shift = power - LATENCY_FINE;
  return ((shift + 1) << LATENCY_FINE) + (unsigned)((ns >> shift) & ((1u << LATENCY_FINE) - 1));
}

/* The longest time that counts in this bucket. */
static uint64_t upper_end(unsigned bucket) {
  if (bucket < 2u << LATENCY_FINE) return bucket;
  unsigned shift = (bucket >> LATENCY_FINE) - 1;
  uint64_t top = (1u << LATENCY_FINE) + (bucket & ((1u << LATENCY_FINE) - 1));
  return ((top + 1) << shift) - 1;
}

void latency_add(struct latency *latency, uint64_t ns) {
  latency->n++;
  latency->sum_ns += ns;
  if (ns > latency->max_ns) latency->max_ns = ns;
  latency->buckets[bucket_of(ns)]++;
}

void latency_merge(struct latency *into, const struct latency *from) {
  into->n += from->n;
  into->sum_ns += from->sum_ns;
  if (from->max_ns > into->max_ns) into->max_ns = from->max_ns;
  for (unsigned i = 0; i < LATENCY_BUCKETS; i++) into->buckets[i] += from->buckets[i];
}

uint64_t latency_at(const struct latency *latency, uint64_t thousandths) {
  /* The rank, counted from 1: the smallest number of calls that is this share of all or more. */
  uint64_t rank = latency->n / 1000 * thousandths + (latency->n % 1000 * thousandths + 999) / 1000, seen = 0;
  for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
    seen += latency->buckets[i];
    if (seen >= rank && seen > 0) return upper_end(i) < latency->max_ns ? upper_end(i) : latency->max_ns;
  }
  return latency->max_ns;
}

void latency_report(struct json *json, const char *call, const struct latency *latency) {
  json_open(json, NULL, '{');
  json_text(json, "call", call);
  json_number(json, "n", latency->n);
  json_decimal(json, "p50_us", (double)latency_at(latency, 500) / 1e3);
  json_decimal(json, "p90_us", (double)latency_at(latency, 900) / 1e3);
  json_decimal(json, "p99_us", (double)latency_at(latency, 990) / 1e3);
  json_decimal(json, "p999_us", (double)latency_at(latency, 999) / 1e3);
  json_decimal(json, "max_us", (double)latency->max_ns / 1e3);
  json_close(json, '}');
}
