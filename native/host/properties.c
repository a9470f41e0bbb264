#include "properties.h"

#include <string.h>

#include "status.h"

/* An array of the struct: up to its NUL, or all of it when a faulty plug-in left none. */
#define FIELD(json, key, array) json_bytes(json, key, array, strnlen(array, sizeof(array)))

void properties_def(struct json *json, const sts_image_def_t *def) {
  FIELD(json, "image", def->img_basename);
  json_hex(json, "image_hex", def->img_basename, strnlen(def->img_basename, sizeof def->img_basename));
  json_number(json, "date", def->img_date);
  FIELD(json, "policy", def->img_policy);
  FIELD(json, "schedule", def->img_schedule);
  FIELD(json, "client", def->img_client);
  json_number(json, "opaque_length", def->img_opaque_length);
  json_hex(json, "opaque", def->img_opaque, def->img_opaque_length <= STS_MAX_OPAQUE ? def->img_opaque_length : 0);
}

void properties_image(struct json *json, const sts_image_info_t *info) {
  properties_def(json, &info->imo_def);
  json_text(json, "state", state_name(info->imo_status));
  json_number(json, "state_bits", info->imo_status);
  json_number(json, "size", info->imo_size);
  json_number(json, "durable", info->imo_durable);
  json_number(json, "physical", info->imo_phys);
  json_number(json, "fragments", info->imo_fragments);
  json_number(json, "metadata_length", info->imo_metadata_length);
  json_hex(json, "id", info->imo_id, sizeof info->imo_id);
  FIELD(json, "checksum", info->imo_checksum);
}

void properties_lsu(struct json *json, const sts_lsu_info_t *info) {
  json_number(json, "capacity", info->lsu_capacity);
  json_number(json, "used", info->lsu_used);
  json_number(json, "used_phys", info->lsu_used_phys);
  json_number(json, "free", info->lsu_free);
  json_number(json, "flags", info->lsu_flags);
  json_bool(json, "active", (info->lsu_flags & STS_LSUF_ACTIVE) != 0);
  FIELD(json, "label", info->lsu_label);
}

void properties_server(struct json *json, const sts_server_info_t *info) {
  FIELD(json, "server", info->server);
  FIELD(json, "engine_version", info->engine_version);
  FIELD(json, "store", info->store);
  json_number(json, "capabilities", info->capabilities);
  json_number(json, "block_size", info->block_size);
  json_bool(json, "mounted", info->mounted != 0);
}
