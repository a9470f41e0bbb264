#include "session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "status.h"

static void print_log(void *context, int severity, const char *line) {
  (void)context;
  fprintf(stderr, "<%d> %s\n", severity, line);
}

static void record(struct host *host, int status, const char *text) {
  if (host->outcome.status == STS_EOK) {
    host->outcome.status = status;
    snprintf(host->outcome.text, sizeof host->outcome.text, "%s", text);
  } else if (host->options->verbose) {
    fprintf(stderr, "and then: status %d (%s): %s\n", status, status_name(status), text);
  }
}

bool host_call(struct host *host, int status, const char *call) {
  if (status == STS_EOK) return true;
  char text[STS_MAX_ERROR + 64];
  snprintf(text, sizeof text, "%s failed without a text", call);
  record(host, status, host->session.error[0] == '\0' ? text : host->session.error);
  host->session.error[0] = '\0';
  return false;
}

bool host_failed(struct host *host, int status, const char *format, ...) {
  char text[STS_MAX_ERROR];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  record(host, status, text);
  return false;
}

bool host_start(struct host *host, const struct options *options, uint64_t stream) {
  memset(host, 0, sizeof *host);
  host->options = options;
  if (!plugin_load(&host->plugin, options->plugin, host->session.error, sizeof host->session.error)) {
    return host_call(host, HOST_FAILED, "loading the plug-in");
  }
  host->session.abi_version = STSP_ABI_VERSION;
  int length = stream == 0 ? snprintf(host->session.job, sizeof host->session.job, "%s", options->job)
                           : snprintf(host->session.job, sizeof host->session.job, "%s%sS%" PRIu64, options->job,
                                    *options->job == '\0' ? "" : ".", stream);
  if (length < 0 || (size_t)length >= sizeof host->session.job) {
    return host_failed(host, HOST_FAILED, "the job's name %s is longer than %u bytes; shorten --job", options->job,
                       STS_MAX_JOB - 1);
  }
  if (options->verbose) host->session.log = print_log;
  int status = host->plugin.init(STSP_ABI_VERSION, options->config, host->session.error, sizeof host->session.error);
  if (!host_call(host, status, "stsp_init")) return false;
  if (host->plugin.claim(options->server) != STS_EOK) {
    return host_failed(host, STS_ECLAIM, "%s is no storage server of this plug-in; give --server VastData:NAME",
                       options->server);
  }
  return true;
}

bool host_connect(struct host *host, const struct options *options, uint64_t stream) {
  if (!host_start(host, options, stream)) return false;
  int status = host->plugin.open_server(&host->session, options->server, &host->server);
  if (status != STS_EOK) host->server = NULL;
  return host_call(host, status, "stsp_open_server");
}

void host_end(struct host *host) {
  if (host->plugin.library == NULL) return;
  if (host->server != NULL) host_call(host, host->plugin.close_server(host->server), "stsp_close_server");
  host->server = NULL;
  host->plugin.terminate();
  plugin_unload(&host->plugin);
}
