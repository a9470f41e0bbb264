/*
 * plugin-loader.h: loads the plug-in as a media server does: dlopen, then every call by its name. The program is not
 * linked with the plug-in, so one build of it drives any build of the plug-in, and a fake one in tests.
 */
#ifndef HOST_PLUGIN_LOADER_H
#define HOST_PLUGIN_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include "stsp.h"

#define PLUGIN_CALLS(CALL)                                                                                          \
  CALL(init) CALL(claim) CALL(terminate) CALL(version) CALL(open_server) CALL(close_server) CALL(get_server_prop)   \
  CALL(get_server_prop_byname) CALL(open_lsu_list) CALL(list_lsu) CALL(close_lsu_list) CALL(get_lsu_prop_byname)    \
  CALL(create_lsu) CALL(label_lsu) CALL(create_image) CALL(open_image) CALL(write_image) CALL(read_image)           \
  CALL(flush_image) CALL(close_image) CALL(write_image_meta) CALL(read_image_meta) CALL(get_image_prop)             \
  CALL(get_image_prop_byname) CALL(delete_image) CALL(copy_image) CALL(open_image_list) CALL(list_image)            \
  CALL(close_image_list)

struct plugin {
  void *library; /* NULL: not loaded */
  char path[4096];
#define PLUGIN_MEMBER(name) __typeof__(stsp_##name) *name;
  PLUGIN_CALLS(PLUGIN_MEMBER)
#undef PLUGIN_MEMBER
};

/*
 * Loads `path`; if that is NULL $VAST_OST_PLUGIN; if that is not set the plug-in beside this program: of a source tree
 * (../../plugin/build), else of a package (../lib). False: `error` says what was tried and what to do.
 */
bool plugin_load(struct plugin *plugin, const char *path, char *error, size_t error_size);

void plugin_unload(struct plugin *plugin);

#endif
