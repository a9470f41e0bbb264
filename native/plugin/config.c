/*
 * config.c: the process's configuration, written by stsp_init and copied by each open. It is kept in a sequence lock of
 * atomic words: readers never wait, and a fork in the middle of a write leaves nothing locked for ever.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/stsp.h"
#include "ini.h"

#define WORDS ((sizeof(struct stsp__config) + 7) / 8)
#define SPINS_MAX 100000u

static _Atomic uint32_t version; /* odd: being written; 0: never written */
static _Atomic uint32_t present;
static _Atomic uint64_t words[WORDS];

static bool store(const struct stsp__config *config) {
  uint64_t copy[WORDS] = {0};
  if (config) memcpy(copy, config, sizeof *config);
  uint32_t now = atomic_load_explicit(&version, memory_order_relaxed);
  for (unsigned spins = 0;; spins++) {
    if (spins == SPINS_MAX) return false;
    if (!(now & 1) && atomic_compare_exchange_weak_explicit(&version, &now, now + 1, memory_order_acquire,
                                                            memory_order_relaxed))
      break;
    if (now & 1) {
      sched_yield();
      now = atomic_load_explicit(&version, memory_order_relaxed);
    }
  }
  /* sequentially consistent stores: this runs once in a process's life, and needs no reasoning about fences */
  for (size_t i = 0; i < WORDS; i++) atomic_store(&words[i], copy[i]);
  atomic_store(&present, config != NULL);
  atomic_store(&version, now + 2);
  return true;
}

bool stsp__config_get(struct stsp__config *config) {
  for (unsigned spins = 0; spins < SPINS_MAX; spins++) {
    uint64_t copy[WORDS];
    uint32_t before = atomic_load(&version);
    bool there = atomic_load(&present) != 0;
    for (size_t i = 0; i < WORDS; i++) copy[i] = atomic_load(&words[i]);
    if ((before & 1) || atomic_load(&version) != before) {
      sched_yield();
      continue;
    }
    if (there) memcpy(config, copy, sizeof *config);
    return there;
  }
  return false;
}

void stsp__config_forget(void) { (void)store(NULL); }

static bool named(struct stsp__span span, const char *name) {
  return span.length == strlen(name) && memcmp(span.at, name, span.length) == 0;
}

static const char *take(void *context, struct stsp__span section, struct stsp__span key, struct stsp__span value) {
  struct stsp__config *config = context;
  if (!key.at || !named(section, "engine")) return NULL;
  if (named(key, "socket")) {
    if (value.length == 0 || value.at[0] != '/') return "[engine] socket must be an absolute path";
    if (value.length >= STSP_SOCKET_MAX) return "[engine] socket is longer than 107 bytes, the limit of Unix sockets";
    memset(config->socket, 0, sizeof config->socket);
    memcpy(config->socket, value.at, value.length);
  } else if (named(key, "connect_wait_s")) {
    uint32_t seconds = 0;
    if (value.length == 0 || value.length > 4) return "[engine] connect_wait_s must be a whole number, 0 to 3600";
    for (size_t i = 0; i < value.length; i++) {
      if (value.at[i] < '0' || value.at[i] > '9') return "[engine] connect_wait_s must be a whole number, 0 to 3600";
      seconds = seconds * 10 + (uint32_t)(value.at[i] - '0');
    }
    if (seconds > STSP_CONNECT_WAIT_MAX_S) return "[engine] connect_wait_s must be a whole number, 0 to 3600";
    config->connect_wait_s = seconds;
  }
  return NULL; /* the other keys are the engine's, which refuses what it does not know */
}

unsigned stsp__config_parse(const char *bytes, size_t length, struct stsp__config *config, const char **what) {
  memset(config, 0, sizeof *config);
  memcpy(config->socket, STSP_SOCKET_DEFAULT, sizeof STSP_SOCKET_DEFAULT);
  config->connect_wait_s = STSP_CONNECT_WAIT_DEFAULT_S;
  return stsp__ini_parse(bytes, length, take, config, what);
}

/* Bytes read, at most size; −errno. */
static ssize_t read_file(const char *path, char *bytes, size_t size) {
  int file;
  do file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  while (file < 0 && errno == EINTR);
  if (file < 0) return -errno;
  size_t length = 0;
  while (length < size) {
    ssize_t got = read(file, bytes + length, size - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      int error = errno;
      close(file);
      return -error;
    }
    if (got == 0) break;
    length += (size_t)got;
  }
  close(file);
  return (ssize_t)length;
}

static int load(const char *path, bool may_lack, char *error, size_t error_size) {
  struct stsp__config config;
  const char *what = "";
  size_t size = STSP_INI_BYTES_MAX + 1;
  char *bytes = malloc(size);
  if (!bytes) return snprintf(error, error_size, "out of memory for the configuration file"), STS_ENOMEM;
  ssize_t length = read_file(path, bytes, size);
  if (length == -ENOENT && may_lack) length = 0;
  if (length < 0) {
    int number = (int)-length;
    free(bytes);
    snprintf(error, error_size, "cannot read the configuration file %s: %s; name another with VAST_OST_CONF", path,
             number == ENOENT ? "it does not exist" : number == EACCES ? "permission denied" : "it is no readable file");
    return number == ENOENT ? STS_ENOENT : number == EACCES || number == EPERM ? STS_EPERM : STS_ESYSTEM;
  }
  unsigned line = stsp__config_parse(bytes, (size_t)length, &config, &what);
  free(bytes);
  if (line) return snprintf(error, error_size, "%s:%u: %s", path, line, what), STS_EINVAL;
  if (!store(&config)) return snprintf(error, error_size, "another stsp_init did not finish"), STS_EBUSY;
  return STS_EOK;
}

int stsp__config_load(const char *path, char *error, size_t error_size) {
  char unused[1];
  if (!error || error_size == 0) {
    error = unused;
    error_size = sizeof unused;
  }
  error[0] = 0;
  if (path && path[0]) return load(path, false, error, error_size);
  path = secure_getenv("VAST_OST_CONF");
  if (path && path[0]) return load(path, false, error, error_size);
  return load(STSP_CONFIG_DEFAULT_PATH, true, error, error_size);
}

void stsp__config_error(char *error, size_t error_size, const char *text) {
  if (error && error_size) snprintf(error, error_size, "%s", text);
}
