/*
 * session.h: what every command does first and last: load the plug-in, init, open the storage server; close it again.
 * And what it does when a call fails.
 */
#ifndef HOST_SESSION_H
#define HOST_SESSION_H

#include "options.h"
#include "plugin-loader.h"
#include "stsp.h"

/* How a command, or one stream of it, ended. The first failure stays; later ones are told under --verbose. */
struct outcome {
  int status; /* STS_E… or HOST_… */
  char text[STS_MAX_ERROR + 256];
};

struct host {
  const struct options *options;
  struct plugin plugin;
  sts_session_t session;
  sts_server_t *server;
  struct outcome outcome;
};

/* Loads and inits; on failure the outcome says why and host_end must be called all the same. */
bool host_start(struct host *host, const struct options *options, uint64_t stream);

/* host_start, then opens the storage server. */
bool host_connect(struct host *host, const struct options *options, uint64_t stream);

void host_end(struct host *host); /* closes what is open, unloads */

/* Records a failed call; returns false, so that callers can `return host_call(…)`. True when status is STS_EOK. */
bool host_call(struct host *host, int status, const char *call);

/* Records a failure of this program itself. Always false. */
bool host_failed(struct host *host, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
