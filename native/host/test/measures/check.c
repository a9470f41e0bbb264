/*
 * measures-check: latency.c and series.c alone, for tests. Lines on standard input: "call NS", "moved STREAM SINCE_NS
 * BYTES" with STREAM 0 or 1; at the end both streams are merged and one line of JSON is printed.
 */
#include <stdlib.h>

#include "../../measures.h"

int main(void) {
  struct measures *streams = calloc(2, sizeof *streams);
  if (streams == NULL) return 1;
  char word[8];
  unsigned calls = 0;
  while (scanf("%7s", word) == 1) {
    unsigned long long stream = 0, ns = 0, bytes = 0;
    if (word[0] == 'c' && scanf("%llu", &ns) == 1) {
      latency_add(&streams[calls++ % 2].calls[CALL_WRITE], ns);
    } else if (word[0] == 'm' && scanf("%llu %llu %llu", &stream, &ns, &bytes) == 3 && stream < 2) {
      series_add(&streams[stream].series, ns, bytes);
    } else {
      return 2;
    }
  }
  measures_merge(&streams[0], &streams[1]);
  struct json json = {.out = stdout};
  json_open(&json, NULL, '{');
  measures_report(&json, &streams[0]);
  json_close(&json, '}');
  json_end(&json);
  free(streams);
  return 0;
}
