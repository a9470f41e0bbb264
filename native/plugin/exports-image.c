/* exports-image.c: the functions of stsp.h for images: each checks its handle and arguments, and delegates. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "exports.h"
#include "handle.h"
#include "image.h"
#include "log.h"

static int image_of(const sts_image_t *handle, struct stsp__image **image) {
  *image = stsp__handle_get(handle, STSP_IMAGE);
  if (!*image) return STS_EINVAL;
  return (*image)->link->pid == getpid() ? STS_EOK : stsp__wrong_process((*image)->session);
}

static int give_image(sts_server_t *handle, const char *lsu_name, const sts_image_def_t *def, int mode, bool create,
                      sts_image_t **image_handle) {
  struct stsp__server *server;
  struct stsp__image *image;
  if (image_handle) *image_handle = NULL;
  int status = stsp__server_of(handle, &server);
  if (status != STS_EOK) return status;
  if (!image_handle) return stsp__fail(server->link->session, STS_EINVAL, "the place for the image handle is NULL");
  status = stsp__image_open(server, lsu_name, def, mode, create, &image);
  if (status != STS_EOK) return status;
  *image_handle = stsp__handle_new(STSP_IMAGE, image);
  if (*image_handle) return STS_EOK;
  sts_session_t *session = image->session;
  (void)stsp__image_close(image, false);
  return stsp__no_handle(session);
}

STSP_API int stsp_create_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int pending_hint,
                               sts_image_t **image) {
  (void)pending_hint;
  return give_image(server, lsu_name, def, STS_MODE_WRITE, true, image);
}

STSP_API int stsp_open_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int mode,
                             sts_image_t **image) {
  return give_image(server, lsu_name, def, mode, false, image);
}

static int want_mode(const struct stsp__image *image, bool writable) {
  if (image->writable == writable) return STS_EOK;
  return stsp__fail(image->session, STS_ESTATE, "%s is open for %s: it cannot be %s through this handle",
                    image->link->subject, writable ? "read" : "write", writable ? "written" : "read");
}

/* Sum of offset and length within what an image can hold. */
static int check_range(const struct stsp__image *image, const void *buffer, uint64_t length, uint64_t offset,
                       uint64_t end_max) {
  if (!buffer) return stsp__fail(image->session, STS_EINVAL, "the buffer is NULL");
  if (length == 0) return stsp__fail(image->session, STS_EINVAL, "the length is 0");
  if (length <= end_max && offset <= end_max - length) return STS_EOK;
  return stsp__fail(image->session, STS_EINVAL, "offset %" PRIu64 " and length %" PRIu64 " go beyond %" PRIu64 " bytes",
                    offset, length, end_max);
}

STSP_API int stsp_write_image(sts_image_t *handle, const void *stat, const void *buffer, sts_uint64_t length,
                              sts_uint64_t offset, sts_uint64_t *written) {
  struct stsp__image *image;
  (void)stat;
  if (written) *written = 0;
  int status = image_of(handle, &image);
  if (status == STS_EOK) status = want_mode(image, true);
  if (status == STS_EOK) status = check_range(image, buffer, length, offset, WIRE_IMAGE_MAX);
  if (status != STS_EOK) return status;
  if (length % STS_BLOCK_SIZE != 0 || offset % STS_BLOCK_SIZE != 0)
    return stsp__fail(image->session, STS_EINVAL,
                      "offset %" PRIu64 " and length %" PRIu64 " must be multiples of %u: pad the last block and keep "
                      "the true length in the image's metadata",
                      offset, length, STS_BLOCK_SIZE);
  status = stsp__image_write(image, buffer, length, offset);
  if (status == STS_EOK && written) *written = length;
  return status;
}

STSP_API int stsp_read_image(sts_image_t *handle, void *buffer, sts_uint64_t length, sts_uint64_t offset,
                             sts_uint64_t *got) {
  struct stsp__image *image;
  if (got) *got = 0;
  int status = image_of(handle, &image);
  if (status == STS_EOK) status = want_mode(image, false);
  if (status == STS_EOK) status = check_range(image, buffer, length, offset, UINT64_MAX);
  if (status == STS_EOK && !got) status = stsp__fail(image->session, STS_EINVAL, "the place for the count is NULL");
  return status == STS_EOK ? stsp__image_read(image, buffer, length, offset, got) : status;
}

STSP_API int stsp_flush_image(sts_image_t *handle) {
  struct stsp__image *image;
  int status = image_of(handle, &image);
  if (status == STS_EOK) status = want_mode(image, true);
  return status == STS_EOK ? stsp__image_flush(image) : status;
}

/* In a forked child only the descriptor is closed: the mapping is not there, and the image is the parent's. */
static int forget_image(struct stsp__image *image) {
  int status = stsp__wrong_process(image->session);
  stsp__link_close(image->link);
  free(image);
  return status;
}

STSP_API int stsp_close_image(sts_image_t *handle, int flags) {
  struct stsp__image *image = stsp__handle_take(handle, STSP_IMAGE);
  if (!image) return STS_EINVAL;
  if (image->link->pid != getpid()) return forget_image(image);
  return stsp__image_close(image, (flags & STS_CLOSEF_IH_COMPLETE) != 0);
}

STSP_API int stsp_write_image_meta(sts_image_t *handle, const void *buffer, sts_uint32_t length, sts_uint32_t offset,
                                   sts_uint32_t *written) {
  struct stsp__image *image;
  if (written) *written = 0;
  int status = image_of(handle, &image);
  if (status == STS_EOK) status = want_mode(image, true);
  if (status == STS_EOK) status = check_range(image, buffer, length, offset, STS_MAX_METADATA);
  if (status == STS_EOK) status = stsp__image_meta_write(image, buffer, length, offset);
  if (status == STS_EOK && written) *written = length;
  return status;
}

STSP_API int stsp_read_image_meta(sts_image_t *handle, void *buffer, sts_uint32_t length, sts_uint32_t offset,
                                  sts_uint32_t *got) {
  struct stsp__image *image;
  if (got) *got = 0;
  int status = image_of(handle, &image);
  if (status != STS_EOK) return status;
  if (!got) return stsp__fail(image->session, STS_EINVAL, "the place for the count is NULL");
  status = check_range(image, buffer, length, offset, UINT32_MAX);
  return status == STS_EOK ? stsp__image_meta_read(image, buffer, length, offset, got) : status;
}

STSP_API int stsp_get_image_prop(sts_image_t *handle, sts_image_info_t *info) {
  struct stsp__image *image;
  int status = image_of(handle, &image);
  if (status != STS_EOK) return status;
  if (!info) return stsp__fail(image->session, STS_EINVAL, "the place for the image's properties is NULL");
  return stsp__image_prop(image, info);
}

STSP_API int stsp_get_image_prop_byname(sts_server_t *handle, const char *lsu_name, const sts_image_def_t *def,
                                        sts_image_info_t *info) {
  struct stsp__server *server;
  int status = stsp__server_of(handle, &server);
  if (status != STS_EOK) return status;
  if (!info) return stsp__fail(server->link->session, STS_EINVAL, "the place for the image's properties is NULL");
  return stsp__image_prop_byname(server, lsu_name, def, info);
}

STSP_API int stsp_delete_image(sts_server_t *handle, const char *lsu_name, const sts_image_def_t *def, int async_flag) {
  struct stsp__server *server;
  (void)async_flag;
  int status = stsp__server_of(handle, &server);
  return status == STS_EOK ? stsp__image_delete(server, lsu_name, def) : status;
}

STSP_API int stsp_copy_image(sts_server_t *handle, const char *to_lsu, const sts_image_def_t *to, const char *from_lsu,
                             const sts_image_def_t *from, sts_uint32_t *method) {
  struct stsp__server *server;
  uint32_t unused;
  int status = stsp__server_of(handle, &server);
  return status == STS_EOK ? stsp__image_copy(server, to_lsu, to, from_lsu, from, method ? method : &unused) : status;
}
