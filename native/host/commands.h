/* commands.h: one function a command; each returns the exit code. */
#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H

#include "options.h"

int run_backup(const struct options *options);
int run_restore(const struct options *options);
int run_list(const struct options *options);
int run_info(const struct options *options);
int run_delete(const struct options *options);
int run_copy(const struct options *options);
int run_lsus(const struct options *options);
int run_create_lsu(const struct options *options);
int run_label_lsu(const struct options *options);
int run_server(const struct options *options);
int run_meta_read(const struct options *options);
int run_meta_write(const struct options *options);
int run_script(const struct options *options);

#endif
