/*
 * exports.c: the functions of stsp.h for library, server, LSUs and lists: each checks its handle and pointers, and
 * delegates. Nothing is decided here. The functions for images are in exports-image.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "exports.h"
#include "handle.h"
#include "log.h"

#ifndef STSP_VERSION /* the Makefile takes it from package.json */
#define STSP_VERSION "0.0.0"
#endif

int stsp__wrong_process(sts_session_t *session) {
  return stsp__fail(session, STS_ESTATE, "the handle was made by another process: after a fork, the child opens its own");
}

int stsp__no_handle(sts_session_t *session) {
  return stsp__fail(session, STS_EBUSY, "more than %u handles are open in this process", STSP_HANDLES_MAX);
}

int stsp__server_of(const sts_server_t *handle, struct stsp__server **server) {
  *server = stsp__handle_get(handle, STSP_SERVER);
  if (!*server) return STS_EINVAL;
  return (*server)->link->pid == getpid() ? STS_EOK : stsp__wrong_process((*server)->link->session);
}

/* ---- library --------------------------------------------------------------------------------------------------------- */

STSP_API int stsp_init(sts_uint32_t abi_version, const char *config_path, char *error, size_t error_size) {
  if (abi_version != STSP_ABI_VERSION) {
    stsp__config_error(error, error_size, "the host program was built for another ABI of this plug-in, which has ABI 1");
    return STS_EVERSION;
  }
  return stsp__config_load(config_path, error, error_size);
}

STSP_API int stsp_claim(const char *server_name) {
  static const char prefix[] = "VastData:";
  if (!server_name) return STS_EINVAL;
  if (strncmp(server_name, prefix, sizeof prefix - 1) != 0) return STS_ECLAIM;
  size_t length = strnlen(server_name, STS_MAX_STSNAME);
  return length >= sizeof prefix && length < STS_MAX_STSNAME ? STS_EOK : STS_ECLAIM;
}

STSP_API int stsp_terminate(void) {
  stsp__config_forget();
  return STS_EOK;
}

STSP_API const char *stsp_version(void) { return "vast-ost " STSP_VERSION; }

/* ---- storage server -------------------------------------------------------------------------------------------------- */

STSP_API int stsp_open_server(sts_session_t *session, const char *server_name, sts_server_t **handle) {
  if (handle) *handle = NULL;
  int status = stsp__check_session(session);
  if (status != STS_EOK) return status;
  if (!handle) return stsp__fail(session, STS_EINVAL, "the place for the server handle is NULL");
  struct stsp__server *server;
  status = stsp__server_open(session, server_name, &server);
  if (status != STS_EOK) return status;
  *handle = stsp__handle_new(STSP_SERVER, server);
  if (*handle) return STS_EOK;
  stsp__server_close(server);
  return stsp__no_handle(session);
}

STSP_API int stsp_close_server(sts_server_t *handle) {
  struct stsp__server *server = stsp__handle_take(handle, STSP_SERVER);
  if (!server) return STS_EINVAL;
  int status = server->link->pid == getpid() ? STS_EOK : stsp__wrong_process(server->link->session);
  stsp__server_close(server);
  return status;
}

STSP_API int stsp_get_server_prop(sts_server_t *handle, sts_server_info_t *info) {
  struct stsp__server *server;
  int status = stsp__server_of(handle, &server);
  if (status != STS_EOK) return status;
  if (!info) return stsp__fail(server->link->session, STS_EINVAL, "the place for the server's properties is NULL");
  return stsp__server_prop(server, info);
}

STSP_API int stsp_get_server_prop_byname(sts_session_t *session, const char *server_name, sts_server_info_t *info) {
  int status = stsp__check_session(session);
  if (status != STS_EOK) return status;
  if (!info) return stsp__fail(session, STS_EINVAL, "the place for the server's properties is NULL");
  struct stsp__server *server;
  status = stsp__server_open(session, server_name, &server);
  if (status != STS_EOK) return status;
  status = stsp__server_prop(server, info);
  stsp__server_close(server);
  return status;
}

/* ---- LSUs -------------------------------------------------------------------------------------------------------------- */

STSP_API int stsp_get_lsu_prop_byname(sts_server_t *handle, const char *lsu_name, sts_lsu_info_t *info) {
  struct stsp__server *server;
  int status = stsp__server_of(handle, &server);
  if (status != STS_EOK) return status;
  if (!info) return stsp__fail(server->link->session, STS_EINVAL, "the place for the LSU's properties is NULL");
  return stsp__lsu_prop(server, lsu_name, info);
}

STSP_API int stsp_create_lsu(sts_server_t *handle, const char *lsu_name) {
  struct stsp__server *server;
  int status = stsp__server_of(handle, &server);
  return status == STS_EOK ? stsp__lsu_create(server, lsu_name) : status;
}

STSP_API int stsp_label_lsu(sts_server_t *handle, const char *lsu_name, const char *label) {
  struct stsp__server *server;
  int status = stsp__server_of(handle, &server);
  return status == STS_EOK ? stsp__lsu_label(server, lsu_name, label) : status;
}

/* ---- lists ------------------------------------------------------------------------------------------------------------- */

static int give_list(struct stsp__server *server, struct stsp__list *list, enum stsp__kind kind, void **handle) {
  *handle = stsp__handle_new(kind, list);
  if (*handle) return STS_EOK;
  sts_session_t *session = server->link->session;
  (void)stsp__list_close(server, list);
  return stsp__no_handle(session);
}

/* The list and its server, both alive and of this process. */
static int list_of(const void *handle, enum stsp__kind kind, struct stsp__list **list, struct stsp__server **server) {
  *list = stsp__handle_get(handle, kind);
  if (!*list) return STS_EINVAL;
  if ((*list)->pid != getpid()) return stsp__wrong_process((*list)->session);
  *server = stsp__handle_get((*list)->server, STSP_SERVER);
  return *server ? STS_EOK : stsp__fail((*list)->session, STS_EINVAL, "the list's storage server was closed before");
}

static int close_list(const void *handle, enum stsp__kind kind) {
  struct stsp__list *list = stsp__handle_take(handle, kind);
  if (!list) return STS_EINVAL;
  if (list->pid == getpid()) return stsp__list_close(stsp__handle_get(list->server, STSP_SERVER), list);
  int status = stsp__wrong_process(list->session);
  free(list);
  return status;
}

STSP_API int stsp_open_lsu_list(sts_server_t *handle, sts_lsu_list_t **list_handle) {
  struct stsp__server *server;
  struct stsp__list *list;
  if (list_handle) *list_handle = NULL;
  int status = stsp__server_of(handle, &server);
  if (status != STS_EOK) return status;
  if (!list_handle) return stsp__fail(server->link->session, STS_EINVAL, "the place for the list is NULL");
  status = stsp__lsu_list_open(server, handle, &list);
  return status == STS_EOK ? give_list(server, list, STSP_LSU_LIST, (void **)list_handle) : status;
}

STSP_API int stsp_list_lsu(sts_lsu_list_t *handle, char name[STS_MAX_LSUNAME]) {
  struct stsp__server *server;
  struct stsp__list *list;
  int status = list_of(handle, STSP_LSU_LIST, &list, &server);
  if (status != STS_EOK) return status;
  if (!name) return stsp__fail(list->session, STS_EINVAL, "the place for the LSU's name is NULL");
  return stsp__lsu_list_next(server, list, name);
}

STSP_API int stsp_close_lsu_list(sts_lsu_list_t *handle) { return close_list(handle, STSP_LSU_LIST); }

STSP_API int stsp_open_image_list(sts_server_t *handle, const char *lsu_name, sts_uint32_t states,
                                  sts_image_list_t **list_handle) {
  struct stsp__server *server;
  struct stsp__list *list;
  if (list_handle) *list_handle = NULL;
  int status = stsp__server_of(handle, &server);
  if (status != STS_EOK) return status;
  if (!list_handle) return stsp__fail(server->link->session, STS_EINVAL, "the place for the list is NULL");
  status = stsp__image_list_open(server, handle, lsu_name, states, &list);
  return status == STS_EOK ? give_list(server, list, STSP_IMAGE_LIST, (void **)list_handle) : status;
}

STSP_API int stsp_list_image(sts_image_list_t *handle, sts_image_def_t *def) {
  struct stsp__server *server;
  struct stsp__list *list;
  int status = list_of(handle, STSP_IMAGE_LIST, &list, &server);
  if (status != STS_EOK) return status;
  if (!def) return stsp__fail(list->session, STS_EINVAL, "the place for the image definition is NULL");
  return stsp__image_list_next(server, list, def);
}

STSP_API int stsp_close_image_list(sts_image_list_t *handle) { return close_list(handle, STSP_IMAGE_LIST); }
