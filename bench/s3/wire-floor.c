/*
 * The floor of S3 transfers: bare HTTP over bare sockets, blocking, no TLS, no checksum, no signature.
 *
 *   wire-floor put PORT CONNECTIONS PARTS BYTES    each connection sends its share of PARTS bodies from one buffer
 *   wire-floor get PORT CONNECTIONS PARTS BYTES    … receives them into one buffer of its own
 *
 * Prints {"bytes", "seconds", "cpu_s"}: of this process alone.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../native/timing.h"

static int port;
static bool puts_bytes;
static size_t part_bytes;
static int parts;
static atomic_int next_part;

static int dial(void) {
  const int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  const struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((unsigned short)port)};
  check(s < 0 || connect(s, (const struct sockaddr *)&to, sizeof to), "connect");
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return s;
}

static void send_all(int s, const char *bytes, size_t size) {
  for (size_t at = 0; at < size;) {
    const ssize_t n = send(s, bytes + at, size - at, MSG_NOSIGNAL);
    check(n <= 0, "send");
    at += (size_t)n;
  }
}

/* Receives a head, and a body of `body` bytes behind it into `buffer`. */
static void receive(int s, char *buffer, size_t body) {
  char head[4096];
  size_t have = 0;
  char *end = NULL;
  while (!(end = memmem(head, have, "\r\n\r\n", 4))) {
    const ssize_t n = recv(s, head + have, sizeof head - have, 0);
    check(n <= 0, "recv");
    have += (size_t)n;
  }
  check(head[9] != '2', "an answer that is no success");
  for (size_t at = have - (size_t)(end + 4 - head); at < body;) {
    const ssize_t n = recv(s, buffer + at, body - at, 0);
    check(n <= 0, "recv");
    at += (size_t)n;
  }
}

static void *work(void *unused) {
  (void)unused;
  char *buffer = malloc(part_bytes), head[512];
  memset(buffer, 7, part_bytes);
  const int s = dial();
  for (int i; (i = atomic_fetch_add(&next_part, 1)) < parts;) {
    if (puts_bytes) {
      const int n = snprintf(head, sizeof head, "PUT /b/floor/%d/image.data?partNumber=%d&uploadId=1 HTTP/1.1\r\nHost: b\r\nContent-Length: %zu\r\n\r\n", i,
                             i + 1, part_bytes);
      send_all(s, head, (size_t)n);
      send_all(s, buffer, part_bytes);
      receive(s, buffer, 0);
    } else {
      const int n = snprintf(head, sizeof head, "GET /b/floor/image.data HTTP/1.1\r\nHost: b\r\nRange: bytes=0-%zu\r\n\r\n", part_bytes - 1);
      send_all(s, head, (size_t)n);
      receive(s, buffer, part_bytes);
    }
  }
  close(s);
  free(buffer);
  return NULL;
}

/* One request beforehand: the upload that the parts belong to, or the object that is read. */
static void prepare(void) {
  const int s = dial();
  char head[256], *body = NULL;
  if (puts_bytes) {
    snprintf(head, sizeof head, "POST /b/floor/image.data?uploads HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n");
    send_all(s, head, strlen(head));
  } else {
    body = calloc(1, part_bytes);
    snprintf(head, sizeof head, "PUT /b/floor/image.data HTTP/1.1\r\nHost: b\r\nContent-Length: %zu\r\n\r\n", part_bytes);
    send_all(s, head, strlen(head));
    send_all(s, body, part_bytes);
  }
  receive(s, body, 0);
  close(s);
  free(body);
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: wire-floor put|get PORT CONNECTIONS PARTS BYTES\n"), 2;
  puts_bytes = strcmp(argv[1], "put") == 0;
  port = atoi(argv[2]);
  const int connections = atoi(argv[3]);
  parts = atoi(argv[4]);
  part_bytes = strtoull(argv[5], NULL, 10);
  check(connections < 1 || connections > 64, "CONNECTIONS from 1 to 64");
  prepare();
  pthread_t threads[64];
  const double begin = now();
  for (int i = 0; i < connections; i++) check(pthread_create(&threads[i], NULL, work, NULL), "thread");
  for (int i = 0; i < connections; i++) pthread_join(threads[i], NULL);
  const double seconds = now() - begin;
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  const double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                     (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
  printf("{\"bytes\": %zu, \"seconds\": %.6f, \"cpu_s\": %.3f}\n", part_bytes * (size_t)parts, seconds, cpu);
}
