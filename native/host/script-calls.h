/* script-calls.h: one function a line of the script; the table in script-table.c says what each takes. */
#ifndef HOST_SCRIPT_CALLS_H
#define HOST_SCRIPT_CALLS_H

#include "script.h"

#define SCRIPT_CALLS(CALL)                                                                                          \
  CALL(init) CALL(claim) CALL(terminate) CALL(version) CALL(unload) CALL(load) CALL(session) CALL(log)              \
  CALL(open_server) CALL(close_server) CALL(server_prop) CALL(server_prop_byname) CALL(open_lsu_list)               \
  CALL(list_lsu) CALL(close_lsu_list) CALL(list_lsus) CALL(lsu_prop) CALL(create_lsu) CALL(label_lsu)               \
  CALL(create_image) CALL(open_image) CALL(write) CALL(write_bytes) CALL(read) CALL(flush) CALL(close)              \
  CALL(meta_write) CALL(meta_write_bytes) CALL(meta_read) CALL(prop) CALL(prop_byname) CALL(delete) CALL(copy)      \
  CALL(open_image_list) CALL(list_image) CALL(close_image_list) CALL(list_images) CALL(images) CALL(repeat)           \
  CALL(crc) CALL(process)                                                                                          \
  CALL(timer) CALL(fork) CALL(end_fork) CALL(fork_idle) CALL(die) CALL(exit) CALL(echo)

#define SCRIPT_DECLARE(name) void script_##name(struct script *script, const struct words *words);
SCRIPT_CALLS(SCRIPT_DECLARE)
#undef SCRIPT_DECLARE

bool script_name_fits(struct script *script, const char *name);

#endif
