/* fake-library.c: library, server, LSUs, lists. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fake.h"

struct sts_lsu_list {
  sts_session_t *session;
  DIR *directory;
};
struct sts_image_list {
  sts_session_t *session;
  DIR *directory;
  sts_uint32_t states;
  char path[4096];
};

int stsp_init(sts_uint32_t abi_version, const char *config_path, char *error, size_t error_size) {
  if (abi_version == STSP_ABI_VERSION && (config_path == NULL || strcmp(config_path, "/missing") != 0)) return STS_EOK;
  if (error != NULL) snprintf(error, error_size, "%s", abi_version == STSP_ABI_VERSION ? "/missing: no such file" : "wrong ABI version");
  return abi_version == STSP_ABI_VERSION ? STS_EINVAL : STS_EVERSION;
}

int stsp_claim(const char *server_name) {
  return server_name != NULL && strncmp(server_name, "VastData:", 9) == 0 && server_name[9] != '\0' ? STS_EOK : STS_ECLAIM;
}
int stsp_terminate(void) { return STS_EOK; }
const char *stsp_version(void) { return "fake 1.0"; }

int stsp_open_server(sts_session_t *session, const char *server_name, sts_server_t **server) {
  if (session == NULL || server == NULL) return STS_EINVAL;
  if (stsp_claim(server_name) != STS_EOK) return fake_fail(session, STS_ECLAIM, "not our server");
  if (strcmp(server_name, "VastData:gone") == 0) return fake_fail(session, STS_ECONNECT, "no engine at /run/none; start one");
  *server = calloc(1, sizeof **server);
  if (*server == NULL) return STS_ENOMEM;
  (*server)->session = session;
  snprintf((*server)->name, sizeof(*server)->name, "%s", server_name);
  return STS_EOK;
}
int stsp_close_server(sts_server_t *server) {
  if (server == NULL) return STS_EINVAL;
  free(server);
  return STS_EOK;
}

int stsp_get_server_prop_byname(sts_session_t *session, const char *server_name, sts_server_info_t *info) {
  if (session == NULL || info == NULL || stsp_claim(server_name) != STS_EOK) return fake_fail(session, STS_EINVAL, "bad argument");
  memset(info, 0, sizeof *info);
  snprintf(info->server, sizeof info->server, "%s", server_name);
  strcpy(info->engine_version, "none");
  strcpy(info->store, "fake");
  info->capabilities = STS_SRVC_COPY_IMAGE | STS_SRVC_READ_IMAGE_META;
  info->block_size = STS_BLOCK_SIZE;
  info->mounted = 1;
  return STS_EOK;
}
int stsp_get_server_prop(sts_server_t *server, sts_server_info_t *info) {
  return server == NULL ? STS_EINVAL : stsp_get_server_prop_byname(server->session, server->name, info);
}

int stsp_open_lsu_list(sts_server_t *server, sts_lsu_list_t **list) {
  const char *root = getenv("FAKE_STORE");
  if (server == NULL || list == NULL) return STS_EINVAL;
  DIR *directory = opendir(root == NULL ? "" : root);
  if (directory == NULL) return fake_fail_errno(server->session, "FAKE_STORE");
  *list = calloc(1, sizeof **list);
  (*list)->session = server->session;
  (*list)->directory = directory;
  return STS_EOK;
}
int stsp_list_lsu(sts_lsu_list_t *list, char name[STS_MAX_LSUNAME]) {
  if (list == NULL || name == NULL) return STS_EINVAL;
  for (struct dirent *entry; (entry = readdir(list->directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    strcpy(name, entry->d_name);
    return STS_EOK;
  }
  return fake_fail(list->session, STS_ENOENT, "end of the list");
}
int stsp_close_lsu_list(sts_lsu_list_t *list) {
  if (list == NULL) return STS_EINVAL;
  closedir(list->directory);
  free(list);
  return STS_EOK;
}

int stsp_get_lsu_prop_byname(sts_server_t *server, const char *lsu_name, sts_lsu_info_t *info) {
  char path[4096];
  if (server == NULL || info == NULL) return STS_EINVAL;
  int status = fake_lsu_path(server->session, lsu_name, path, sizeof path);
  if (status != STS_EOK) return status;
  memset(info, 0, sizeof *info);
  info->lsu_capacity = 1000;
  info->lsu_free = 400;
  info->lsu_used = info->lsu_used_phys = 600;
  info->lsu_flags = STS_LSUF_ACTIVE;
  return STS_EOK;
}
int stsp_create_lsu(sts_server_t *server, const char *lsu_name) {
  char path[4096];
  if (server == NULL) return STS_EINVAL;
  int status = fake_lsu_path(server->session, lsu_name, path, sizeof path);
  if (status == STS_EOK) return fake_fail(server->session, STS_EEXIST, "LSU %s is there", lsu_name);
  if (status != STS_ENOENT) return status;
  return mkdir(path, 0777) == 0 ? STS_EOK : fake_fail_errno(server->session, path);
}
int stsp_label_lsu(sts_server_t *server, const char *lsu_name, const char *label) {
  char path[4096];
  if (server == NULL || label == NULL) return STS_EINVAL;
  return fake_lsu_path(server->session, lsu_name, path, sizeof path);
}

int stsp_open_image_list(sts_server_t *server, const char *lsu_name, sts_uint32_t states, sts_image_list_t **list) {
  char path[4096];
  if (server == NULL || list == NULL) return STS_EINVAL;
  int status = fake_lsu_path(server->session, lsu_name, path, sizeof path);
  if (status != STS_EOK) return status;
  DIR *directory = opendir(path);
  if (directory == NULL) return fake_fail_errno(server->session, path);
  *list = calloc(1, sizeof **list);
  **list = (sts_image_list_t){.session = server->session, .directory = directory, .states = states == 0 ? 3 : states};
  strcpy((*list)->path, path);
  return STS_EOK;
}
int stsp_list_image(sts_image_list_t *list, sts_image_def_t *def) {
  if (list == NULL || def == NULL) return STS_EINVAL;
  for (struct dirent *entry; (entry = readdir(list->directory)) != NULL;) {
    char path[4400];
    static struct fake_info info;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", list->path, entry->d_name);
    if (fake_info_read(list->session, path, &info) != STS_EOK) continue;
    if ((list->states & (info.complete ? STS_LIST_COMPLETE : STS_LIST_PENDING)) == 0) continue;
    *def = info.def;
    return STS_EOK;
  }
  return fake_fail(list->session, STS_ENOENT, "end of the list");
}
int stsp_close_image_list(sts_image_list_t *list) {
  if (list == NULL) return STS_EINVAL;
  closedir(list->directory);
  free(list);
  return STS_EOK;
}
