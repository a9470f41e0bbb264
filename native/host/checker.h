/* checker.h: compares what was restored with what it should be: generated data, or a file. */
#ifndef HOST_CHECKER_H
#define HOST_CHECKER_H

#include "pattern.h"
#include "shape.h"
#include "session.h"

struct checker {
  struct pattern *pattern; /* --verify-generated */
  struct shape shape;      /* the same with --dedup or --compress */
  int fd;                  /* --compare; -1: none */
  const char *name;
  unsigned char *buffer;
  size_t buffer_bytes;
};

bool checker_open(struct checker *checker, struct host *host, uint64_t stream, size_t buffer_bytes);
void checker_close(struct checker *checker);

/* True when equal, or when nothing is to be compared. HOST_MISMATCH names the first byte that differs. */
bool checker_check(struct checker *checker, struct host *host, const char *image, uint64_t offset, const void *bytes,
                   size_t length);

#endif
