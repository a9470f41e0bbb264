/* exports.h: what the two files of exported functions share. */
#ifndef STSP_EXPORTS_H
#define STSP_EXPORTS_H

#include "check.h"
#include "server.h"

#define STSP_API __attribute__((visibility("default")))

/* The live server of a handle, in the process that made it. Status; text in the session when there is one. */
int stsp__server_of(const sts_server_t *handle, struct stsp__server **server);

int stsp__wrong_process(sts_session_t *session);
int stsp__no_handle(sts_session_t *session);

#endif
