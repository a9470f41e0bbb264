/*
 * A null S3 server: the floor that S3 clients are measured before. It speaks enough of S3 for any client, checks no
 * signature, and throws the bytes of data objects away as cheaply as the kernel can (recv with MSG_TRUNC: they are not
 * even copied). With --keep it keeps them in memory, so that they can be read back. Objects up to 1 MiB are always kept,
 * their CRC-64/NVME verified and conditions on them honoured: an engine's metas, sums, claims and its probe.
 *
 *   null-server [--listen ADDRESS] [--keep]       prints {"port": N}, serves 127.0.0.1, or ADDRESS, until it is killed
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../native/timing.h"
#include "http.h"

enum {
  SMALL_MAX = 1 << 20,
  PARTS_MAX = 10001,
  OBJECTS_MAX = 1 << 16,
  UPLOADS_MAX = 4096,
};

struct piece {
  uint8_t *bytes; /* NULL: thrown away */
  size_t size;
};

struct object {
  char key[KEY_MAX];
  char etag[40];
  struct piece *pieces;
  size_t count, size;
};

struct upload {
  bool used;
  char key[KEY_MAX];
  struct piece parts[PARTS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *objects[OBJECTS_MAX];
static size_t object_count;
static struct upload *uploads[UPLOADS_MAX];
static uint64_t etag_next = 1;
static bool keep;
static uint64_t crc_table[256];

static void make_crc_table(void) {
  for (uint64_t i = 0; i < 256; i++) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0x9A6C9329AC4BC9B5ULL : 0);
    crc_table[i] = crc;
  }
}

static uint64_t crc64(const uint8_t *bytes, size_t size) {
  uint64_t crc = ~0ULL;
  for (size_t i = 0; i < size; i++) crc = (crc >> 8) ^ crc_table[(crc ^ bytes[i]) & 0xff];
  return ~crc;
}

/* Eight bytes, most significant first, as base64. */
static void crc_text(uint64_t crc, char out[16]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t bytes[9] = {0};
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(crc >> (56 - 8 * i));
  for (int i = 0; i < 3; i++) {
    const uint32_t three = (uint32_t)bytes[3 * i] << 16 | (uint32_t)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];
    for (int j = 0; j < 4; j++) out[4 * i + j] = digits[three >> (18 - 6 * j) & 63];
  }
  out[11] = '=';
  out[12] = 0;
}

static struct object *find(const char *key) {
  for (size_t i = 0; i < object_count; i++)
    if (strcmp(objects[i]->key, key) == 0) return objects[i];
  return NULL;
}

static void drop(struct object *o) {
  for (size_t i = 0; i < o->count; i++) free(o->pieces[i].bytes);
  free(o->pieces);
}

/* Under the lock. Its ETag is one of parts: clients take one without a dash for the MD5. */
static struct object *place(const char *key) {
  struct object *o = find(key);
  if (o) drop(o);
  else {
    check(object_count == OBJECTS_MAX, "objects");
    o = objects[object_count++] = calloc(1, sizeof *o);
    snprintf(o->key, sizeof o->key, "%s", key);
  }
  snprintf(o->etag, sizeof o->etag, "\"%032llx-1\"", (unsigned long long)etag_next++);
  return o;
}

static bool body_is_good(const struct request *r, const struct piece *p) {
  char text[16];
  if (!r->crc[0] || !p->bytes || p->size > SMALL_MAX) return true;
  crc_text(crc64(p->bytes, p->size), text);
  return strcmp(text, r->crc) == 0;
}

static bool put(struct connection *c, struct request *r) {
  struct piece p = {NULL, r->length};
  char number[16] = "", id[32] = "", size[24], headers[128];
  const bool is_part = query_value(r->query, "partNumber", number, sizeof number) &&
                       query_value(r->query, "uploadId", id, sizeof id);
  if (keep || (r->length <= SMALL_MAX && !is_part)) p.bytes = malloc(r->length ? r->length : 1);
  if (is_part && r->length <= SMALL_MAX && !p.bytes) p.bytes = malloc(r->length ? r->length : 1);
  if (!read_body(c, p.bytes, r->length)) return false;
  /* From the front that decrypts: so many bytes, which it has thrown away itself. */
  if (query_value(r->query, "null-size", size, sizeof size)) {
    free(p.bytes);
    p = (struct piece){NULL, strtoull(size, NULL, 10)};
  }
  if (r->copies) return free(p.bytes), refuse(c->socket, 501, "NotImplemented");
  if (!body_is_good(r, &p)) return free(p.bytes), refuse(c->socket, 400, "BadDigest");
  pthread_mutex_lock(&lock);
  uint64_t etag = 0;
  const struct object *there = find(r->key);
  int status = 200;
  if (is_part) {
    const size_t n = strtoull(number, NULL, 10), u = strtoull(id, NULL, 10);
    if (u >= UPLOADS_MAX || !uploads[u] || !uploads[u]->used || n >= PARTS_MAX) status = 404;
    else {
      free(uploads[u]->parts[n].bytes);
      uploads[u]->parts[n] = p;
      etag = etag_next++;
    }
  } else if ((r->if_none_match[0] && there) || (r->if_match[0] && (!there || strcmp(there->etag, r->if_match) != 0))) {
    status = 412;
  } else {
    struct object *o = place(r->key);
    o->pieces = malloc(sizeof *o->pieces);
    o->pieces[0] = p;
    o->count = 1;
    o->size = p.size;
    etag = etag_next - 1;
  }
  pthread_mutex_unlock(&lock);
  if (status != 200) {
    free(p.bytes);
    return refuse(c->socket, status, status == 404 ? "NoSuchUpload" : "PreconditionFailed");
  }
  snprintf(headers, sizeof headers, "ETag: \"%032llx-1\"\r\n", (unsigned long long)etag);
  return answer(c->socket, 200, headers, "");
}

static bool post(struct connection *c, struct request *r) {
  char id[32] = "", body[512];
  struct piece text = {malloc(r->length + 1), r->length};
  if (!read_body(c, text.bytes, r->length)) return false;
  free(text.bytes);
  pthread_mutex_lock(&lock);
  if (query_value(r->query, "uploads", id, sizeof id)) {
    size_t u = 1;
    while (u < UPLOADS_MAX && uploads[u] && uploads[u]->used) u++;
    check(u == UPLOADS_MAX, "uploads");
    if (!uploads[u]) uploads[u] = calloc(1, sizeof *uploads[u]);
    uploads[u]->used = true;
    snprintf(uploads[u]->key, sizeof uploads[u]->key, "%s", r->key);
    snprintf(body, sizeof body, "<InitiateMultipartUploadResult><Bucket>bench</Bucket><Key>o</Key><UploadId>%zu</UploadId></InitiateMultipartUploadResult>", u);
  } else if (query_value(r->query, "uploadId", id, sizeof id)) {
    const size_t u = strtoull(id, NULL, 10);
    if (u >= UPLOADS_MAX || !uploads[u] || !uploads[u]->used) {
      pthread_mutex_unlock(&lock);
      return refuse(c->socket, 404, "NoSuchUpload");
    }
    struct object *o = place(r->key);
    o->pieces = calloc(PARTS_MAX, sizeof *o->pieces);
    o->count = o->size = 0;
    for (size_t n = 1; n < PARTS_MAX; n++) {
      if (!uploads[u]->parts[n].size) continue;
      o->pieces[o->count++] = uploads[u]->parts[n];
      o->size += uploads[u]->parts[n].size;
    }
    memset(uploads[u]->parts, 0, sizeof uploads[u]->parts);
    uploads[u]->used = false;
    snprintf(body, sizeof body, "<CompleteMultipartUploadResult><Bucket>bench</Bucket><Key>o</Key><ETag>%s</ETag></CompleteMultipartUploadResult>",
             o->etag);
  } else {
    pthread_mutex_unlock(&lock);
    return refuse(c->socket, 501, "NotImplemented");
  }
  pthread_mutex_unlock(&lock);
  return answer(c->socket, 200, "Content-Type: application/xml\r\n", body);
}

/* Only as much of a listing as the engine's own questions need: all keys below a prefix, with or without delimiter. */
static bool list(struct connection *c, struct request *r) {
  char prefix[KEY_MAX] = "", delimiter[8] = "", uploads_of[8];
  if (query_value(r->query, "uploads", uploads_of, sizeof uploads_of))
    return answer(c->socket, 200, "", "<ListMultipartUploadsResult><Bucket>bench</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>");
  query_value(r->query, "prefix", prefix, sizeof prefix);
  query_value(r->query, "delimiter", delimiter, sizeof delimiter);
  char *body = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&body, &size);
  fprintf(out, "<ListBucketResult><Name>bench</Name><IsTruncated>false</IsTruncated>");
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < object_count && i < 1000; i++) {
    if (strncmp(objects[i]->key, prefix, strlen(prefix)) != 0) continue;
    const char *rest = objects[i]->key + strlen(prefix), *cut = delimiter[0] ? strstr(rest, delimiter) : NULL;
    if (cut) fprintf(out, "<CommonPrefixes><Prefix>%.*s/</Prefix></CommonPrefixes>", (int)(cut - objects[i]->key), objects[i]->key);
    else
      fprintf(out, "<Contents><Key>%s</Key><Size>%zu</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>",
              objects[i]->key, objects[i]->size);
  }
  pthread_mutex_unlock(&lock);
  fprintf(out, "</ListBucketResult>");
  fclose(out);
  const bool good = answer(c->socket, 200, "Content-Type: application/xml\r\n", body);
  free(body);
  return good;
}

static bool get(struct connection *c, struct request *r, bool head_only) {
  static const uint8_t zeros[1 << 20];
  char headers[256];
  if (!r->key[0] && !head_only) return list(c, r);
  pthread_mutex_lock(&lock);
  struct object *found = find(r->key);
  struct object o = {0};
  if (found) o = *found;
  pthread_mutex_unlock(&lock);
  if (!found) return head_only ? answer(c->socket, 404, "", "") : refuse(c->socket, 404, "NoSuchKey");
  size_t from = 0, to = o.size;
  unsigned long long a = 0, b = 0;
  const int fields = r->range[0] ? sscanf(r->range, "bytes=%llu-%llu", &a, &b) : 0;
  if (fields > 0) from = (size_t)a;
  if (fields > 1 && b + 1 < to) to = (size_t)b + 1;
  if (from > to) return refuse(c->socket, 416, "InvalidRange");
  int n = snprintf(headers, sizeof headers, "HTTP/1.1 %d OK\r\nETag: %s\r\nContent-Length: %zu\r\nAccept-Ranges: bytes\r\n"
                   "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
                   fields > 0 ? 206 : 200, o.etag, to - from);
  if (fields > 0)
    n += snprintf(headers + n, sizeof headers - (size_t)n, "Content-Range: bytes %zu-%zu/%zu\r\n", from, to - 1, o.size);
  n += snprintf(headers + n, sizeof headers - (size_t)n, "\r\n");
  if (!send_all(c->socket, headers, (size_t)n)) return false;
  if (head_only) return true;
  size_t at = 0;
  for (size_t i = 0; i < o.count && from < to; at += o.pieces[i++].size) {
    const size_t end = at + o.pieces[i].size;
    while (from < end && from < to) {
      size_t part = (end < to ? end : to) - from;
      if (!o.pieces[i].bytes && part > sizeof zeros) part = sizeof zeros;
      if (!send_all(c->socket, o.pieces[i].bytes ? o.pieces[i].bytes + (from - at) : zeros, part)) return false;
      from += part;
    }
  }
  return true;
}

static bool delete(struct connection *c, struct request *r) {
  char id[32];
  pthread_mutex_lock(&lock);
  if (query_value(r->query, "uploadId", id, sizeof id)) {
    const size_t u = strtoull(id, NULL, 10);
    if (u < UPLOADS_MAX && uploads[u] && uploads[u]->used) {
      for (size_t n = 0; n < PARTS_MAX; n++) free(uploads[u]->parts[n].bytes);
      memset(uploads[u], 0, sizeof *uploads[u]);
    }
  } else {
    for (size_t i = 0; i < object_count; i++) {
      if (strcmp(objects[i]->key, r->key) != 0) continue;
      drop(objects[i]);
      free(objects[i]);
      objects[i] = objects[--object_count];
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  return answer(c->socket, 204, "", "");
}

static void *serve(void *argument) {
  struct connection *c = argument;
  struct request *r = malloc(sizeof *r);
  while (read_head(c, r)) {
    bool good = false;
    if (strcmp(r->method, "PUT") == 0) good = put(c, r);
    else if (strcmp(r->method, "POST") == 0) good = post(c, r);
    else if (strcmp(r->method, "GET") == 0) good = get(c, r, false);
    else if (strcmp(r->method, "HEAD") == 0) good = get(c, r, true);
    else if (strcmp(r->method, "DELETE") == 0) good = delete(c, r);
    if (!good || r->close) break;
  }
  close(c->socket);
  free(c);
  free(r);
  return NULL;
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--keep") == 0) keep = true;
    else check(strcmp(argv[i], "--listen") != 0 || ++i == argc || inet_pton(AF_INET, argv[i], &at.sin_addr) != 1, "options");
  }
  make_crc_table();
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = sizeof at;
  check(listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 512), "listen");
  check(getsockname(listener, (struct sockaddr *)&at, &size), "getsockname");
  printf("{\"port\": %d}\n", ntohs(at.sin_port));
  fflush(stdout);
  for (;;) {
    const int socket = accept(listener, NULL, NULL);
    if (socket < 0) continue;
    const int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = calloc(1, sizeof *c);
    c->socket = socket;
    pthread_t thread;
    check(pthread_create(&thread, NULL, serve, c), "thread");
    pthread_detach(thread);
  }
}
