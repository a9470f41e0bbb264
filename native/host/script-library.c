/* script-library.c: the library, sessions, storage servers. */
#include <stdlib.h>
#include <string.h>

#include "properties.h"
#include "script-calls.h"

static void take_log(void *context, int severity, const char *line) {
  struct session_object *session = context;
  session->log_lines++;
  snprintf(session->last_log, sizeof session->last_log, "<%d> %s", severity, line);
}

static void print_log(void *context, int severity, const char *line) {
  take_log(context, severity, line);
  fprintf(stderr, "<%d> %s\n", severity, line);
}

static bool check_loaded(struct script *script) {
  return script->plugin.library != NULL || script_error(script, "the plug-in is not loaded; use load");
}

void script_init(struct script *script, const struct words *words) {
  char error[STS_MAX_ERROR] = "", *config = NULL;
  uint64_t abi = STSP_ABI_VERSION, error_size = sizeof error;
  if (!check_loaded(script)) return;
  if (words->count > 0 && !words_string(script, words->at[0], &config, NULL)) return;
  if (!words_option_number(script, words, "abi", &abi)) return;
  bool no_error = words_is_null(words, "error");
  if (!no_error && !words_option_number(script, words, "error_size", &error_size)) return;
  if (error_size > sizeof error) error_size = sizeof error;
  script_call_begins(script, NULL);
  int status = script->plugin.init((sts_uint32_t)abi, config, no_error ? NULL : error, error_size);
  script_call_ended(script, status);
  json_bytes(&script->json, "error", error, strnlen(error, sizeof error));
}

void script_claim(struct script *script, const struct words *words) {
  char *name = NULL;
  if (!check_loaded(script) || !words_string(script, words->at[0], &name, NULL)) return;
  script_call_begins(script, NULL);
  script_call_ended(script, script->plugin.claim(name));
}

void script_terminate(struct script *script, const struct words *words) {
  (void)words;
  if (!check_loaded(script)) return;
  script_call_begins(script, NULL);
  script_call_ended(script, script->plugin.terminate());
}

void script_version(struct script *script, const struct words *words) {
  (void)words;
  if (!check_loaded(script)) return;
  script_done(script);
  json_text(&script->json, "version", script->plugin.version());
  json_text(&script->json, "plugin", script->plugin.path);
}

void script_unload(struct script *script, const struct words *words) {
  (void)words;
  plugin_unload(&script->plugin);
  script_done(script);
}

void script_load(struct script *script, const struct words *words) {
  char error[STS_MAX_ERROR];
  const char *path = words->count > 0 ? words->at[0] : script->options->plugin;
  plugin_unload(&script->plugin);
  if (!plugin_load(&script->plugin, path, error, sizeof error)) {
    script_error(script, "%s", error);
  } else {
    script_done(script);
  }
}

void script_session(struct script *script, const struct words *words) {
  uint64_t abi = STSP_ABI_VERSION;
  char *job = NULL;
  size_t length = 0;
  if (!words_option_number(script, words, "abi", &abi)) return;
  if (words->count > 1 && !words_string(script, words->at[1], &job, &length)) return;
  if (strlen(words->at[0]) >= SCRIPT_NAME_MAX || length > STS_MAX_JOB) {
    script_error(script, "the name of the session or of the job is too long");
    return;
  }
  struct session_object *session = calloc(1, sizeof *session);
  if (session == NULL) {
    script_error(script, "no memory");
    return;
  }
  session->session.abi_version = (sts_uint32_t)abi;
  if (length > 0) memcpy(session->session.job, job, length);
  if (!words_is_null(words, "log")) {
    session->session.log = script->options->verbose ? print_log : take_log;
    session->session.log_context = session;
  }
  if (object_put(script, OBJECT_SESSION, words->at[0], &session->session, session)) {
    script_done(script);
  } else {
    free(session);
  }
}

void script_log(struct script *script, const struct words *words) {
  void *handle = NULL;
  struct session_object *session = NULL;
  if (!object_get(script, OBJECT_SESSION, words->at[0], &handle, &session)) return;
  script_done(script);
  json_number(&script->json, "lines", session == NULL ? 0 : session->log_lines);
  json_text(&script->json, "last", session == NULL ? "" : session->last_log);
}

void script_open_server(struct script *script, const struct words *words) {
  void *handle = NULL;
  struct session_object *session = NULL;
  char *name = NULL;
  sts_server_t *server = NULL;
  if (!check_loaded(script) || !object_get(script, OBJECT_SESSION, words->at[0], &handle, &session) ||
      !words_string(script, words->at[2], &name, NULL) || !script_name_fits(script, words->at[1])) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.open_server(handle, name, words_is_null(words, "server") ? NULL : &server);
  script_call_ended(script, status);
  if (status == STS_EOK) object_put(script, OBJECT_SERVER, words->at[1], server, session);
}

void script_close_server(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session)) return;
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.close_server(server));
}

static void answer_server(struct script *script, int status, const sts_server_info_t *info) {
  script_call_ended(script, status);
  if (status == STS_EOK) properties_server(&script->json, info);
}

void script_server_prop(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  sts_server_info_t info;
  memset(&info, 0, sizeof info);
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session)) return;
  script_call_begins(script, session);
  answer_server(script, script->plugin.get_server_prop(server, words_is_null(words, "info") ? NULL : &info), &info);
}

void script_server_prop_byname(struct script *script, const struct words *words) {
  void *handle = NULL;
  struct session_object *session = NULL;
  char *name = NULL;
  sts_server_info_t info;
  memset(&info, 0, sizeof info);
  if (!check_loaded(script) || !object_get(script, OBJECT_SESSION, words->at[0], &handle, &session) ||
      !words_string(script, words->at[1], &name, NULL)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.get_server_prop_byname(handle, name, words_is_null(words, "info") ? NULL : &info);
  answer_server(script, status, &info);
}
