/* server.c: the control calls of a server handle. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image.h"
#include "log.h"

int stsp__server_open(sts_session_t *session, const char *name, struct stsp__server **out) {
  struct stsp__server *server = calloc(1, sizeof *server);
  if (!server) return stsp__fail(session, STS_ENOMEM, "out of memory for a server handle");
  int status = stsp__check_name(session, "the storage server's name", name, server->name, sizeof server->name);
  if (status == STS_EOK && stsp_claim(server->name) != STS_EOK)
    status = stsp__fail(session, STS_ECLAIM, "%s is no storage server of this plug-in: names begin with VastData:",
                        server->name);
  if (status == STS_EOK && !stsp__config_get(&server->config))
    status = stsp__fail(session, STS_ESTATE, "the plug-in is not initialised: call stsp_init first");
  if (status == STS_EOK) status = stsp__link_open(&server->config, session, server->name, &server->link);
  if (status != STS_EOK) {
    free(server);
    return status;
  }
  server->link->advice = "open the storage server again when the engine runs";
  *out = server;
  return STS_EOK;
}

void stsp__server_close(struct stsp__server *server) {
  stsp__link_close(server->link);
  free(server);
}

/* What the next call does and to which LSU, for texts. */
static void begin_lsu(struct stsp__server *server, const char *action, const char *lsu) {
  char name[WIRE_LSU_MAX];
  server->link->action = action;
  stsp__printable(name, sizeof name, lsu);
  snprintf(server->link->subject, sizeof server->link->subject, "LSU %s", name);
}

int stsp__server_prop(struct stsp__server *server, sts_server_info_t *info) {
  struct wire_header frame;
  struct stsp__reply reply;
  server->link->action = "the properties";
  stsp__printable(server->link->subject, sizeof server->link->subject, server->name);
  int status = stsp__link_call(server->link, WIRE_SERVER_PROP, &frame, sizeof frame, NULL, 0,
                               sizeof(struct wire_server_info), false, &reply);
  if (status != STS_EOK) return status;
  const struct wire_server_info *body = reply.body;
  _Static_assert(sizeof body->engine_version == sizeof info->engine_version && sizeof body->store == sizeof info->store,
                 "server info");
  if (!stsp__terminated(body->server, sizeof body->server) || !stsp__terminated(body->store, sizeof body->store) ||
      !stsp__terminated(body->engine_version, sizeof body->engine_version))
    return stsp__link_broken(server->link, "server properties");
  memset(info, 0, sizeof *info);
  memcpy(info->server, body->server, sizeof info->server);
  memcpy(info->engine_version, body->engine_version, sizeof info->engine_version);
  memcpy(info->store, body->store, sizeof info->store);
  info->capabilities = body->capabilities;
  info->block_size = body->block_bytes;
  info->mounted = body->mounted;
  return STS_EOK;
}

int stsp__lsu_prop(struct stsp__server *server, const char *lsu, sts_lsu_info_t *info) {
  struct wire_lsu frame;
  struct stsp__reply reply;
  int status = stsp__check_name(server->link->session, "the LSU's name", lsu, frame.lsu, sizeof frame.lsu);
  if (status != STS_EOK) return status;
  begin_lsu(server, "the properties", frame.lsu);
  status = stsp__link_call(server->link, WIRE_LSU_PROP, &frame, sizeof frame, NULL, 0, sizeof(struct wire_lsu_info),
                           false, &reply);
  if (status != STS_EOK) return status;
  const struct wire_lsu_info *body = reply.body;
  if (!stsp__terminated(body->label, sizeof body->label)) return stsp__link_broken(server->link, "LSU properties");
  memset(info, 0, sizeof *info);
  info->lsu_capacity = body->capacity;
  info->lsu_used = body->used;
  info->lsu_used_phys = body->used_phys;
  info->lsu_free = body->free_bytes;
  info->lsu_flags = body->flags;
  memcpy(info->lsu_label, body->label, sizeof info->lsu_label);
  return STS_EOK;
}

int stsp__lsu_create(struct stsp__server *server, const char *lsu) {
  struct wire_lsu frame;
  int status = stsp__check_name(server->link->session, "the LSU's name", lsu, frame.lsu, sizeof frame.lsu);
  if (status != STS_EOK) return status;
  begin_lsu(server, "the creation", frame.lsu);
  return stsp__link_call(server->link, WIRE_LSU_CREATE, &frame, sizeof frame, NULL, 0, 0, false, NULL);
}

int stsp__lsu_label(struct stsp__server *server, const char *lsu, const char *label) {
  struct wire_lsu_label frame;
  sts_session_t *session = server->link->session;
  int status = stsp__check_name(session, "the LSU's name", lsu, frame.lsu, sizeof frame.lsu);
  if (status == STS_EOK) status = stsp__check_name(session, "the label", label, frame.label, sizeof frame.label);
  if (status != STS_EOK) return status;
  begin_lsu(server, "the labelling", frame.lsu);
  return stsp__link_call(server->link, WIRE_LSU_LABEL, &frame, sizeof frame, NULL, 0, 0, false, NULL);
}

static int fill_byname(struct stsp__server *server, const char *action, const char *lsu, const sts_image_def_t *def,
                       struct wire_image_byname *frame) {
  sts_session_t *session = server->link->session;
  int status = stsp__check_name(session, "the LSU's name", lsu, frame->lsu, sizeof frame->lsu);
  if (status == STS_EOK) status = stsp__check_def(session, def, &frame->def);
  if (status != STS_EOK) return status;
  server->link->action = action;
  stsp__describe(server->link->subject, sizeof server->link->subject, &frame->def, frame->lsu);
  return STS_EOK;
}

int stsp__image_prop_byname(struct stsp__server *server, const char *lsu, const sts_image_def_t *def,
                            sts_image_info_t *info) {
  struct wire_image_byname frame;
  struct stsp__reply reply;
  int status = fill_byname(server, "the properties", lsu, def, &frame);
  if (status == STS_EOK)
    status = stsp__link_call(server->link, WIRE_IMAGE_PROP_BYNAME, &frame, sizeof frame, NULL, 0,
                             sizeof(struct wire_image_info), false, &reply);
  if (status != STS_EOK) return status;
  if (!stsp__info_from_wire(reply.body, info)) return stsp__link_broken(server->link, "image properties");
  return STS_EOK;
}

int stsp__image_delete(struct stsp__server *server, const char *lsu, const sts_image_def_t *def) {
  struct wire_image_byname frame;
  int status = fill_byname(server, "the deletion", lsu, def, &frame);
  if (status != STS_EOK) return status;
  return stsp__link_call(server->link, WIRE_IMAGE_DELETE, &frame, sizeof frame, NULL, 0, 0, false, NULL);
}

int stsp__image_copy(struct stsp__server *server, const char *to_lsu, const sts_image_def_t *to, const char *from_lsu,
                     const sts_image_def_t *from, uint32_t *method) {
  struct wire_image_copy frame;
  struct stsp__reply reply;
  sts_session_t *session = server->link->session;
  int status = stsp__check_name(session, "the LSU's name to copy to", to_lsu, frame.to_lsu, sizeof frame.to_lsu);
  if (status == STS_EOK) status = stsp__check_def(session, to, &frame.to);
  if (status == STS_EOK)
    status = stsp__check_name(session, "the LSU's name to copy from", from_lsu, frame.from_lsu, sizeof frame.from_lsu);
  if (status == STS_EOK) status = stsp__check_def(session, from, &frame.from);
  if (status != STS_EOK) return status;
  if (!stsp__random(frame.token, sizeof frame.token))
    return stsp__fail(session, STS_ESYSTEM, "the kernel gives no random bytes for a writer token");
  server->link->action = "the copy";
  stsp__describe(server->link->subject, sizeof server->link->subject, &frame.to, frame.to_lsu);
  status = stsp__link_call(server->link, WIRE_IMAGE_COPY, &frame, sizeof frame, NULL, 0, sizeof(struct wire_copied),
                           false, &reply);
  if (status == STS_EOK) *method = ((const struct wire_copied *)reply.body)->method;
  return status;
}
