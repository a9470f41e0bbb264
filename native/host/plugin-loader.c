#include "plugin-loader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libstspiVastData.so"

/* Directory of this program with a slash at its end; "./" when /proc does not tell. */
static void own_directory(char directory[4096]) {
  ssize_t length = readlink("/proc/self/exe", directory, 4095);
  directory[length > 0 ? length : 0] = '\0';
  char *slash = strrchr(directory, '/');
  if (slash == NULL) {
    strcpy(directory, "./");
  } else {
    slash[1] = '\0';
  }
}

static bool default_path(struct plugin *plugin, char *error, size_t error_size) {
  static const char *const places[] = {"../../plugin/build/" LIBRARY, "../lib/" LIBRARY};
  char directory[4096];
  own_directory(directory);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    int length = snprintf(plugin->path, sizeof plugin->path, "%s%s", directory, places[i]);
    if (length > 0 && (size_t)length < sizeof plugin->path && access(plugin->path, R_OK) == 0) return true;
  }
  snprintf(error, error_size,
           "no plug-in found: looked for %s%s and %s%s; build it (make -C native/plugin), or name it with --plugin FILE "
           "or VAST_OST_PLUGIN",
           directory, places[0], directory, places[1]);
  return false;
}

static bool bind_calls(struct plugin *plugin, char *error, size_t error_size) {
  /* POSIX promises that a function's address survives the way through void *; ISO C has no cast for it. */
#define PLUGIN_BIND(name)                                                                                     \
  *(void **)&plugin->name = dlsym(plugin->library, "stsp_" #name);                                            \
  if (plugin->name == NULL) {                                                                                 \
    snprintf(error, error_size, "plug-in %s has no stsp_" #name "; plug-in and host program must be of one version", \
             plugin->path);                                                                                   \
    return false;                                                                                             \
  }
  PLUGIN_CALLS(PLUGIN_BIND)
#undef PLUGIN_BIND
  return true;
}

bool plugin_load(struct plugin *plugin, const char *path, char *error, size_t error_size) {
  memset(plugin, 0, sizeof *plugin);
  if (path == NULL) path = getenv("VAST_OST_PLUGIN");
  if (path == NULL || *path == '\0') {
    if (!default_path(plugin, error, error_size)) return false;
  } else {
    /* Without a slash dlopen would search the system's libraries. */
    int length = snprintf(plugin->path, sizeof plugin->path, "%s%s", strchr(path, '/') == NULL ? "./" : "", path);
    if (length < 0 || (size_t)length >= sizeof plugin->path) {
      snprintf(error, error_size, "the plug-in's path is longer than %zu bytes", sizeof plugin->path - 1);
      return false;
    }
  }
  plugin->library = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL);
  if (plugin->library == NULL) {
    const char *reason = dlerror();
    snprintf(error, error_size, "cannot load the plug-in: %s", reason == NULL ? plugin->path : reason);
    return false;
  }
  if (!bind_calls(plugin, error, error_size)) {
    plugin_unload(plugin);
    return false;
  }
  return true;
}

void plugin_unload(struct plugin *plugin) {
  if (plugin->library != NULL) dlclose(plugin->library);
  plugin->library = NULL;
}
