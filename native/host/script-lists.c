/* script-lists.c: LSUs, lists of LSUs and of images. */
#include <string.h>

#include "properties.h"
#include "script-calls.h"

/* Server handle and LSU name of words 0 and `at`. */
static bool server_and_lsu(struct script *script, const struct words *words, unsigned at, void **server,
                           struct session_object **session, char **lsu) {
  return object_get(script, OBJECT_SERVER, words->at[0], server, session) &&
         words_string(script, words->at[at], lsu, NULL);
}

void script_open_lsu_list(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  sts_lsu_list_t *list = NULL;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) || !script_name_fits(script, words->at[1])) return;
  script_call_begins(script, session);
  int status = script->plugin.open_lsu_list(server, words_is_null(words, "list") ? NULL : &list);
  script_call_ended(script, status);
  if (status == STS_EOK) object_put(script, OBJECT_LSU_LIST, words->at[1], list, session);
}

void script_list_lsu(struct script *script, const struct words *words) {
  void *list = NULL;
  struct session_object *session = NULL;
  char name[STS_MAX_LSUNAME] = "";
  if (!object_get(script, OBJECT_LSU_LIST, words->at[0], &list, &session)) return;
  script_call_begins(script, session);
  int status = script->plugin.list_lsu(list, words_is_null(words, "lsu") ? NULL : name);
  script_call_ended(script, status);
  if (status == STS_EOK) {
    json_bytes(&script->json, "lsu", name, strnlen(name, sizeof name));
    json_hex(&script->json, "lsu_hex", name, strnlen(name, sizeof name));
  }
}

void script_close_lsu_list(struct script *script, const struct words *words) {
  void *list = NULL;
  struct session_object *session = NULL;
  if (!object_get(script, OBJECT_LSU_LIST, words->at[0], &list, &session)) return;
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.close_lsu_list(list));
}

/* Open, all, close in one line. The answer's status is the first that failed. */
void script_list_lsus(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  sts_lsu_list_t *list = NULL;
  struct json *json = &script->json;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session)) return;
  script_call_begins(script, session);
  int status = script->plugin.open_lsu_list(server, &list);
  uint64_t count = 0;
  if (status == STS_EOK) {
    json_open(json, "lsus", '[');
    for (;; count++) {
      char name[STS_MAX_LSUNAME];
      status = script->plugin.list_lsu(list, name);
      if (status != STS_EOK) break;
      json_hex(json, NULL, name, strnlen(name, sizeof name));
    }
    json_close(json, ']');
    int closed = script->plugin.close_lsu_list(list);
    if (status == STS_ENOENT) status = closed;
  }
  script_call_ended(script, status);
  json_number(json, "count", count);
}

void script_lsu_prop(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  sts_lsu_info_t info;
  memset(&info, 0, sizeof info);
  if (!server_and_lsu(script, words, 1, &server, &session, &lsu)) return;
  script_call_begins(script, session);
  int status = script->plugin.get_lsu_prop_byname(server, lsu, words_is_null(words, "info") ? NULL : &info);
  script_call_ended(script, status);
  if (status == STS_EOK) properties_lsu(&script->json, &info);
}

void script_create_lsu(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  if (!server_and_lsu(script, words, 1, &server, &session, &lsu)) return;
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.create_lsu(server, lsu));
}

void script_label_lsu(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL, *label = NULL;
  if (!server_and_lsu(script, words, 1, &server, &session, &lsu) || !words_string(script, words->at[2], &label, NULL)) return;
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.label_lsu(server, lsu, label));
}

/* all, complete, pending, or a number. */
static bool take_states(struct script *script, const char *word, uint64_t *states) {
  *states = 0;
  if (word == NULL || strcmp(word, "all") == 0) return true;
  if (strcmp(word, "complete") == 0) {
    *states = STS_LIST_COMPLETE;
  } else if (strcmp(word, "pending") == 0) {
    *states = STS_LIST_PENDING;
  } else {
    return words_number(script, word, states);
  }
  return true;
}

void script_open_image_list(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  uint64_t states = 0;
  sts_image_list_t *list = NULL;
  if (!script_name_fits(script, words->at[1]) || !server_and_lsu(script, words, 2, &server, &session, &lsu) ||
      !take_states(script, words->count > 3 ? words->at[3] : NULL, &states)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.open_image_list(server, lsu, (sts_uint32_t)states, words_is_null(words, "list") ? NULL : &list);
  script_call_ended(script, status);
  if (status == STS_EOK) object_put(script, OBJECT_IMAGE_LIST, words->at[1], list, session);
}

void script_list_image(struct script *script, const struct words *words) {
  void *list = NULL;
  struct session_object *session = NULL;
  sts_image_def_t def;
  memset(&def, 0, sizeof def);
  if (!object_get(script, OBJECT_IMAGE_LIST, words->at[0], &list, &session)) return;
  script_call_begins(script, session);
  int status = script->plugin.list_image(list, words_is_null(words, "def") ? NULL : &def);
  script_call_ended(script, status);
  if (status == STS_EOK) properties_def(&script->json, &def);
}

void script_close_image_list(struct script *script, const struct words *words) {
  void *list = NULL;
  struct session_object *session = NULL;
  if (!object_get(script, OBJECT_IMAGE_LIST, words->at[0], &list, &session)) return;
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.close_image_list(list));
}

void script_list_images(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  uint64_t states = 0, count = 0;
  sts_image_list_t *list = NULL;
  struct json *json = &script->json;
  if (!server_and_lsu(script, words, 1, &server, &session, &lsu) ||
      !take_states(script, words->count > 2 ? words->at[2] : NULL, &states)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.open_image_list(server, lsu, (sts_uint32_t)states, &list);
  if (status == STS_EOK) {
    json_open(json, "images", '[');
    for (;; count++) {
      sts_image_def_t def;
      memset(&def, 0, sizeof def);
      status = script->plugin.list_image(list, &def);
      if (status != STS_EOK) break;
      json_open(json, NULL, '{');
      properties_def(json, &def);
      json_close(json, '}');
    }
    json_close(json, ']');
    int closed = script->plugin.close_image_list(list);
    if (status == STS_ENOENT) status = closed;
  }
  script_call_ended(script, status);
  json_number(json, "count", count);
}
