/* properties.h: the API's property structs as JSON members of the object that is open. */
#ifndef HOST_PROPERTIES_H
#define HOST_PROPERTIES_H

#include "json.h"
#include "stsp.h"

void properties_def(struct json *json, const sts_image_def_t *def);
void properties_image(struct json *json, const sts_image_info_t *info); /* its definition too */
void properties_lsu(struct json *json, const sts_lsu_info_t *info);
void properties_server(struct json *json, const sts_server_info_t *info);

#endif
