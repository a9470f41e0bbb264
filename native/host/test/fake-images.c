/* fake-images.c: images as directories with the files data, info and, while written, busy. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"

struct sts_image {
  sts_session_t *session;
  pid_t pid;
  int mode, fd;
  char directory[4096];
  struct fake_info info;
};

static int opened(sts_session_t *session, const char *directory, const struct fake_info *info, int mode, sts_image_t **image) {
  char path[4200];
  snprintf(path, sizeof path, "%s/data", directory);
  int fd = open(path, (mode == STS_MODE_READ ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0666);
  if (fd < 0) return fake_fail_errno(session, path);
  *image = calloc(1, sizeof **image);
  (*image)->session = session;
  (*image)->pid = getpid();
  (*image)->mode = mode;
  (*image)->fd = fd;
  (*image)->info = *info;
  strcpy((*image)->directory, directory);
  return mode == STS_MODE_READ ? STS_EOK : fake_set_busy(session, directory, true);
}

int stsp_create_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int pending_hint,
                      sts_image_t **image) {
  char path[4096];
  (void)pending_hint;
  if (server == NULL || image == NULL) return STS_EINVAL;
  int status = fake_fault(server->session, "create");
  if (status == STS_EOK) status = fake_image_path(server->session, lsu_name, def, path, sizeof path);
  if (status != STS_EOK) return status;
  struct fake_info *info = calloc(1, sizeof *info);
  info->def = *def;
  if (mkdir(path, 0777) != 0) status = fake_fail(server->session, STS_EEXIST, "image %s exists", def->img_basename);
  if (status == STS_EOK) status = fake_info_write(server->session, path, info);
  if (status == STS_EOK) status = opened(server->session, path, info, STS_MODE_WRITE, image);
  free(info);
  return status;
}

int stsp_open_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int mode, sts_image_t **image) {
  char path[4096];
  if (server == NULL || image == NULL || (mode != STS_MODE_READ && mode != STS_MODE_WRITE)) return STS_EINVAL;
  int status = fake_fault(server->session, "open");
  if (status == STS_EOK) status = fake_image_path(server->session, lsu_name, def, path, sizeof path);
  if (status != STS_EOK) return status;
  struct fake_info *info = calloc(1, sizeof *info);
  status = fake_info_read(server->session, path, info);
  if (status == STS_EOK && (mode == STS_MODE_READ) != (info->complete != 0)) {
    status = fake_fail(server->session, STS_ESTATE, "image %s is %s", def->img_basename, info->complete ? "complete" : "pending");
  }
  if (status == STS_EOK && mode == STS_MODE_WRITE && fake_is_busy(path)) {
    status = fake_fail(server->session, STS_EBUSY, "image %s is written by somebody", def->img_basename);
  }
  if (status == STS_EOK) status = opened(server->session, path, info, mode, image);
  free(info);
  return status;
}

static int check(sts_image_t *image, int mode, const char *call) {
  if (image == NULL) return STS_EINVAL;
  if (image->pid != getpid()) return fake_fail(image->session, STS_ESTATE, "the handle belongs to another process");
  if (mode != 0 && image->mode != mode) return fake_fail(image->session, STS_ESTATE, "the handle's mode does not allow it");
  return fake_fault(image->session, call);
}

int stsp_write_image(sts_image_t *image, const void *stat, const void *buffer, sts_uint64_t length, sts_uint64_t offset,
                     sts_uint64_t *written) {
  (void)stat;
  uint64_t nothing;
  if (written != NULL) *written = 0;
  int status = check(image, STS_MODE_WRITE, "write");
  if (status != STS_EOK) return status;
  if (buffer == NULL || length == 0 || length % STS_BLOCK_SIZE != 0 || offset % STS_BLOCK_SIZE != 0 || offset + length < offset) {
    return fake_fail(image->session, STS_EINVAL, "offset or length is no multiple of 512");
  }
  if (pwrite(image->fd, buffer, length, (off_t)offset) != (ssize_t)length) return fake_fail_errno(image->session, "data");
  if (written != NULL) *written = fake_fault_number("lose", &nothing) ? length / 2 : length;
  return STS_EOK;
}

int stsp_read_image(sts_image_t *image, void *buffer, sts_uint64_t length, sts_uint64_t offset, sts_uint64_t *got) {
  uint64_t flip;
  int status = check(image, STS_MODE_READ, "read");
  if (status != STS_EOK) return status;
  if (buffer == NULL || got == NULL || length == 0) return fake_fail(image->session, STS_EINVAL, "no buffer");
  uint64_t size = fake_size(image->directory), left = offset < size ? size - offset : 0;
  ssize_t count = pread(image->fd, buffer, length < left ? length : left, (off_t)offset);
  if (count < 0) return fake_fail_errno(image->session, "data");
  *got = (uint64_t)count;
  if (fake_fault_number("flip", &flip) && flip >= offset && flip < offset + *got) ((unsigned char *)buffer)[flip - offset] ^= 1;
  if (fake_fault_number("short", &flip) && *got > 0) --*got;
  if (fake_fault_number("overrun", &flip)) ((unsigned char *)buffer)[length] ^= 1;
  return STS_EOK;
}

int stsp_flush_image(sts_image_t *image) {
  int status = check(image, STS_MODE_WRITE, "flush");
  if (status != STS_EOK) return status;
  image->info.durable = fake_size(image->directory);
  return fake_info_write(image->session, image->directory, &image->info);
}

int stsp_close_image(sts_image_t *image, int flags) {
  if (image == NULL) return STS_EINVAL;
  int status = check(image, 0, "close");
  if (image->mode == STS_MODE_WRITE && image->pid == getpid()) {
    image->info.durable = fake_size(image->directory);
    if (status == STS_EOK) image->info.complete = (flags & STS_CLOSEF_IH_COMPLETE) != 0;
    fake_info_write(image->session, image->directory, &image->info);
    fake_set_busy(image->session, image->directory, false);
  }
  close(image->fd);
  free(image);
  return status;
}

int stsp_write_image_meta(sts_image_t *image, const void *buffer, sts_uint32_t length, sts_uint32_t offset,
                          sts_uint32_t *written) {
  int status = check(image, STS_MODE_WRITE, "meta");
  if (status != STS_EOK) return status;
  if (buffer == NULL || (uint64_t)offset + length > STS_MAX_METADATA) return fake_fail(image->session, STS_EINVAL, "metadata too long");
  memcpy(image->info.metadata + offset, buffer, length);
  if (offset + length > image->info.metadata_length) image->info.metadata_length = offset + length;
  if (written != NULL) *written = length;
  return STS_EOK;
}

int stsp_read_image_meta(sts_image_t *image, void *buffer, sts_uint32_t length, sts_uint32_t offset, sts_uint32_t *got) {
  int status = check(image, 0, "meta_read");
  if (status != STS_EOK) return status;
  uint32_t left = offset < image->info.metadata_length ? image->info.metadata_length - offset : 0;
  if (buffer == NULL || got == NULL) return fake_fail(image->session, STS_EINVAL, "no buffer");
  *got = length < left ? length : left;
  memcpy(buffer, image->info.metadata + (*got == 0 ? 0 : offset), *got);
  return STS_EOK;
}

int stsp_get_image_prop(sts_image_t *image, sts_image_info_t *info) {
  if (info == NULL) return STS_EINVAL;
  int status = check(image, 0, "prop");
  if (status == STS_EOK) fake_describe(image->directory, &image->info, info);
  return status;
}

int stsp_get_image_prop_byname(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, sts_image_info_t *info) {
  char path[4096];
  static struct fake_info stored;
  if (server == NULL || info == NULL) return STS_EINVAL;
  int status = fake_image_path(server->session, lsu_name, def, path, sizeof path);
  if (status == STS_EOK) status = fake_info_read(server->session, path, &stored);
  if (status == STS_EOK) fake_describe(path, &stored, info);
  return status;
}

int stsp_delete_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int async_flag) {
  static const char *const files[] = {"data", "busy", "info"};
  char path[4096], file[4200];
  (void)async_flag;
  if (server == NULL) return STS_EINVAL;
  int status = fake_image_path(server->session, lsu_name, def, path, sizeof path);
  if (status != STS_EOK) return status;
  if (access(path, F_OK) != 0) return fake_fail(server->session, STS_ENOENT, "image %s: no such image", def->img_basename);
  if (fake_is_busy(path)) return fake_fail(server->session, STS_EBUSY, "image %s is written", def->img_basename);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(file, sizeof file, "%s/%s", path, files[i]);
    unlink(file);
  }
  return rmdir(path) == 0 ? STS_EOK : fake_fail_errno(server->session, path);
}

int stsp_copy_image(sts_server_t *server, const char *to_lsu, const sts_image_def_t *to, const char *from_lsu,
                    const sts_image_def_t *from, sts_uint32_t *method) {
  sts_image_t *source = NULL, *target = NULL;
  static char bytes[65536];
  int status = stsp_open_image(server, from_lsu, from, STS_MODE_READ, &source);
  if (status != STS_EOK) return status;
  status = stsp_create_image(server, to_lsu, to, 0, &target);
  if (status == STS_EOK) {
    memcpy(target->info.metadata, source->info.metadata, STS_MAX_METADATA);
    target->info.metadata_length = source->info.metadata_length;
    for (ssize_t got; (got = read(source->fd, bytes, sizeof bytes)) > 0;) {
      if (write(target->fd, bytes, (size_t)got) != got) status = STS_ESYSTEM;
    }
    int closed = stsp_close_image(target, STS_CLOSEF_IH_COMPLETE);
    if (status == STS_EOK) status = closed;
  }
  stsp_close_image(source, 0);
  if (method != NULL) *method = STS_COPY_LANES;
  return status;
}
