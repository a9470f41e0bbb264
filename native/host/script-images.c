/* script-images.c: images: create, open, flush, close, properties, delete, copy. */
#include <string.h>

#include "properties.h"
#include "script-calls.h"
#include "status.h"

static bool image_of(struct script *script, const struct words *words, void **image, struct session_object **session) {
  return object_get(script, OBJECT_IMAGE, words->at[0], image, session);
}

void script_create_image(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  uint64_t hint = 0;
  sts_image_def_t space, *def = NULL;
  sts_image_t *image = NULL;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) || !script_name_fits(script, words->at[1]) ||
      !words_string(script, words->at[2], &lsu, NULL) || !words_def(script, words, 3, &space, &def) ||
      !words_option_number(script, words, "pending_hint", &hint)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.create_image(server, lsu, def, (int)hint, words_is_null(words, "image") ? NULL : &image);
  script_call_ended(script, status);
  if (status == STS_EOK) object_put(script, OBJECT_IMAGE, words->at[1], image, session);
}

void script_open_image(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  uint64_t mode = 0;
  sts_image_def_t space, *def = NULL;
  sts_image_t *image = NULL;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) || !script_name_fits(script, words->at[1]) ||
      !words_string(script, words->at[2], &lsu, NULL) || !words_def(script, words, 3, &space, &def)) {
    return;
  }
  if (strcmp(words->at[5], "read") == 0) {
    mode = STS_MODE_READ;
  } else if (strcmp(words->at[5], "write") == 0) {
    mode = STS_MODE_WRITE;
  } else if (!words_number(script, words->at[5], &mode)) {
    return;
  }
  script_call_begins(script, session);
  int status =
      script->plugin.open_image(server, lsu, def, (int)mode, words_is_null(words, "image") ? NULL : &image);
  script_call_ended(script, status);
  if (status == STS_EOK) object_put(script, OBJECT_IMAGE, words->at[1], image, session);
}

void script_flush(struct script *script, const struct words *words) {
  void *image = NULL;
  struct session_object *session = NULL;
  if (!image_of(script, words, &image, &session)) return;
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.flush_image(image));
}

void script_close(struct script *script, const struct words *words) {
  void *image = NULL;
  struct session_object *session = NULL;
  uint64_t flags = STS_CLOSEF_IH_INCOMPLETE;
  if (!image_of(script, words, &image, &session)) return;
  if (strcmp(words->at[1], "complete") == 0) {
    flags = STS_CLOSEF_IH_COMPLETE;
  } else if (strcmp(words->at[1], "incomplete") != 0 && !words_number(script, words->at[1], &flags)) {
    return;
  }
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.close_image(image, (int)flags));
}

static void answer_image(struct script *script, int status, const sts_image_info_t *info) {
  script_call_ended(script, status);
  if (status == STS_EOK) properties_image(&script->json, info);
}

void script_prop(struct script *script, const struct words *words) {
  void *image = NULL;
  struct session_object *session = NULL;
  sts_image_info_t info;
  memset(&info, 0, sizeof info);
  if (!image_of(script, words, &image, &session)) return;
  script_call_begins(script, session);
  answer_image(script, script->plugin.get_image_prop(image, words_is_null(words, "info") ? NULL : &info), &info);
}

void script_prop_byname(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  sts_image_def_t space, *def = NULL;
  sts_image_info_t info;
  memset(&info, 0, sizeof info);
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) ||
      !words_string(script, words->at[1], &lsu, NULL) || !words_def(script, words, 2, &space, &def)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.get_image_prop_byname(server, lsu, def, words_is_null(words, "info") ? NULL : &info);
  answer_image(script, status, &info);
}

void script_delete(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *lsu = NULL;
  uint64_t async_flag = 0;
  sts_image_def_t space, *def = NULL;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) ||
      !words_string(script, words->at[1], &lsu, NULL) || !words_def(script, words, 2, &space, &def) ||
      !words_option_number(script, words, "async", &async_flag)) {
    return;
  }
  script_call_begins(script, session);
  script_call_ended(script, script->plugin.delete_image(server, lsu, def, (int)async_flag));
}

void script_copy(struct script *script, const struct words *words) {
  void *server = NULL;
  struct session_object *session = NULL;
  char *to_lsu = NULL, *from_lsu = NULL;
  sts_image_def_t to_space, from_space, *to = NULL, *from = NULL;
  sts_uint32_t method = 0;
  if (!object_get(script, OBJECT_SERVER, words->at[0], &server, &session) ||
      !words_string(script, words->at[1], &to_lsu, NULL) || !words_def(script, words, 2, &to_space, &to) ||
      !words_string(script, words->at[4], &from_lsu, NULL) || !words_def(script, words, 5, &from_space, &from)) {
    return;
  }
  script_call_begins(script, session);
  int status = script->plugin.copy_image(server, to_lsu, to, from_lsu, from, words_is_null(words, "method") ? NULL : &method);
  script_call_ended(script, status);
  if (status == STS_EOK) json_text(&script->json, "method", copy_method_name(method));
}
