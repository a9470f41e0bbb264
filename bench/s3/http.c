#define _GNU_SOURCE
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

bool send_all(int socket, const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  while (size > 0) {
    const ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    size -= (size_t)sent;
  }
  return true;
}

bool answer(int socket, int status, const char *headers, const char *body) {
  char head[2048];
  const int n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nx-amz-request-id: 1\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                         status < 300 ? "OK" : "No", headers, strlen(body), "");
  return send_all(socket, head, (size_t)n) && send_all(socket, body, strlen(body));
}

bool refuse(int socket, int status, const char *code) {
  char body[256];
  snprintf(body, sizeof body, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, code);
  return answer(socket, status, "Content-Type: application/xml\r\n", body);
}

static int hex(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static void decode(char *text) {
  char *out = text;
  for (; *text; text++) {
    if (*text == '%' && text[1] && text[2]) {
      *out++ = (char)(hex(text[1]) << 4 | hex(text[2]));
      text += 2;
    } else *out++ = *text;
  }
  *out = 0;
}

bool query_value(const char *query, const char *name, char *out, size_t size) {
  const size_t n = strlen(name);
  for (const char *at = query; at && *at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL) {
    if (strncmp(at, name, n) != 0 || (at[n] != '=' && at[n] != '&' && at[n] != 0)) continue;
    const char *value = at[n] == '=' ? at + n + 1 : "";
    snprintf(out, size, "%.*s", (int)strcspn(value, "&"), value);
    decode(out);
    return true;
  }
  return false;
}

static void header_value(const char *line, const char *name, char *out, size_t size) {
  const size_t n = strlen(name);
  if (strncasecmp(line, name, n) != 0 || line[n] != ':') return;
  const char *value = line + n + 1;
  while (*value == ' ') value++;
  snprintf(out, size, "%s", value);
}

bool read_head(struct connection *c, struct request *r) {
  uint8_t *end = NULL;
  while (!(end = memmem(c->buffer, c->have, "\r\n\r\n", 4))) {
    if (c->have == sizeof c->buffer) return false;
    const ssize_t got = recv(c->socket, c->buffer + c->have, sizeof c->buffer - c->have, 0);
    if (got <= 0) return false;
    c->have += (size_t)got;
  }
  memset(r, 0, sizeof *r);
  *end = 0;
  char target[4096] = "", expect[32] = "", length[32] = "", connection[32] = "", copy[8] = "";
  char *save = NULL;
  char *line = strtok_r((char *)c->buffer, "\r\n", &save);
  if (!line || sscanf(line, "%7s %4095s", r->method, target) != 2) return false;
  while ((line = strtok_r(NULL, "\r\n", &save))) {
    header_value(line, "content-length", length, sizeof length);
    header_value(line, "x-amz-checksum-crc64nvme", r->crc, sizeof r->crc);
    header_value(line, "if-none-match", r->if_none_match, sizeof r->if_none_match);
    header_value(line, "if-match", r->if_match, sizeof r->if_match);
    header_value(line, "range", r->range, sizeof r->range);
    header_value(line, "expect", expect, sizeof expect);
    header_value(line, "connection", connection, sizeof connection);
    header_value(line, "x-amz-copy-source", copy, sizeof copy);
  }
  r->length = strtoull(length, NULL, 10);
  r->close = strcasecmp(connection, "close") == 0;
  r->copies = copy[0] != 0;
  char *query = strchr(target, '?');
  if (query) *query++ = 0;
  snprintf(r->query, sizeof r->query, "%s", query ? query : "");
  /* Path style: the bucket's name is of no interest. */
  const char *key = strchr(target + 1, '/');
  snprintf(r->key, sizeof r->key, "%s", key ? key + 1 : "");
  decode(r->key);
  const size_t taken = (size_t)(end - c->buffer) + 4;
  memmove(c->buffer, c->buffer + taken, c->have - taken);
  c->have -= taken;
  if (strncasecmp(expect, "100", 3) == 0) return send_all(c->socket, "HTTP/1.1 100 Continue\r\n\r\n", 25);
  return true;
}

bool read_body(struct connection *c, uint8_t *into, size_t size) {
  const size_t here = c->have < size ? c->have : size;
  if (into) memcpy(into, c->buffer, here);
  memmove(c->buffer, c->buffer + here, c->have - here);
  c->have -= here;
  for (size_t at = here; at < size;) {
    const size_t want = size - at;
    const ssize_t got = into ? recv(c->socket, into + at, want, 0)
                             : recv(c->socket, NULL, want < (16 << 20) ? want : (16 << 20), MSG_TRUNC);
    if (got <= 0) return false;
    at += (size_t)got;
  }
  return true;
}
