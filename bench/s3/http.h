/* As much of HTTP/1.1 as the null server needs: requests of clients that mean well. */
#ifndef VAST_OST_BENCH_HTTP_H
#define VAST_OST_BENCH_HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_MAX = 64 * 1024, KEY_MAX = 1024 };

struct request {
  char method[8], key[KEY_MAX], query[2048];
  char crc[32], if_none_match[64], if_match[64], range[64];
  size_t length;
  bool copies, close;
};

struct connection {
  int socket;
  uint8_t buffer[HEAD_MAX];
  size_t have; /* bytes of the buffer that are not taken yet */
};

/* Reads a request's head; what comes behind it stays in the buffer. False: the connection ended. */
bool read_head(struct connection *c, struct request *r);
/* Takes a request's body; `into` NULL: it is thrown away without being copied. False: the connection ended. */
bool read_body(struct connection *c, uint8_t *into, size_t size);
/* The value of a name in a query, decoded; a name without one has "". False: it is not there. */
bool query_value(const char *query, const char *name, char *out, size_t size);

bool send_all(int socket, const void *bytes, size_t size);
/* `headers`: whole lines, each with its CR LF. */
bool answer(int socket, int status, const char *headers, const char *body);
bool refuse(int socket, int status, const char *code);

#endif
