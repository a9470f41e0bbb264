/* config.h: the two settings that the plug-in needs, and where they come from. */
#ifndef STSP_CONFIG_H
#define STSP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STSP_SOCKET_MAX 108u /* sun_path of a Unix address, with the NUL */
#define STSP_CONFIG_DEFAULT_PATH "/usr/openv/lib/ost-plugins/vast-ost.conf"
#define STSP_SOCKET_DEFAULT "/run/vast-ost/engine.sock"
#define STSP_CONNECT_WAIT_DEFAULT_S 10u
#define STSP_CONNECT_WAIT_MAX_S 3600u

struct stsp__config {
  char socket[STSP_SOCKET_MAX]; /* [engine] socket */
  uint32_t connect_wait_s;      /* [engine] connect_wait_s */
};

/* Reads the text of a file into *config (defaults for what it does not name). 0, or the wrong line and its text. */
unsigned stsp__config_parse(const char *bytes, size_t length, struct stsp__config *config, const char **what);

/* Reads the file (see stsp_init) and makes it the process's configuration. Status; text in error. */
int stsp__config_load(const char *path, char *error, size_t error_size);

/* False: no stsp_init, or terminated since. */
bool stsp__config_get(struct stsp__config *config);

/* A text into the caller's place for it; nothing without one. */
void stsp__config_error(char *error, size_t error_size, const char *text);

void stsp__config_forget(void);

#endif
