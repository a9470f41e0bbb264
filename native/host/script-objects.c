#include <stdlib.h>
#include <string.h>

#include "script.h"

static const char *const kind_names[] = {"session", "server", "image", "LSU list", "image list"};

static struct object *find(struct script *script, const char *name) {
  for (size_t i = script->objects_count; i > 0; i--) {
    if (strcmp(script->objects[i - 1].name, name) == 0) return &script->objects[i - 1];
  }
  return NULL;
}

bool object_get(struct script *script, enum object_kind kind, const char *name, void **handle,
                struct session_object **session) {
  *handle = NULL;
  *session = NULL;
  if (kind != OBJECT_SESSION && script->plugin.library == NULL) {
    return script_error(script, "the plug-in is not loaded; use load");
  }
  if (strcmp(name, "null") == 0) return true;
  struct object *object = find(script, name);
  if (object == NULL) return script_error(script, "no %s of the name %s was made", kind_names[kind], name);
  if (object->kind != kind) {
    return script_error(script, "%s is a %s, not a %s", name, kind_names[object->kind], kind_names[kind]);
  }
  *handle = object->handle;
  *session = object->session;
  return true;
}

bool object_put(struct script *script, enum object_kind kind, const char *name, void *handle,
                struct session_object *session) {
  struct object *object = find(script, name);
  if (object == NULL) {
    if (script->objects_count == SCRIPT_OBJECTS_MAX) return script_error(script, "too many names of handles");
    if (script->objects_count % 64 == 0) {
      void *bigger = realloc(script->objects, (script->objects_count + 64) * sizeof *script->objects);
      if (bigger == NULL) return script_error(script, "no memory");
      script->objects = bigger;
    }
    object = &script->objects[script->objects_count++];
    strcpy(object->name, name);
  }
  /* The session behind an older name stays: other handles may have been made with it. */
  object->kind = kind;
  object->handle = handle;
  object->session = session;
  return true;
}

void objects_free(struct script *script) {
  for (size_t i = 0; i < script->objects_count; i++) {
    if (script->objects[i].kind == OBJECT_SESSION) free(script->objects[i].session);
  }
  free(script->objects);
  script->objects = NULL;
  script->objects_count = 0;
}
