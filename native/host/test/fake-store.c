#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

int fake_fail(sts_session_t *session, int status, const char *format, ...) {
  va_list arguments;
  if (session == NULL) return status;
  va_start(arguments, format);
  vsnprintf(session->error, sizeof session->error, format, arguments);
  va_end(arguments);
  if (session->log != NULL) session->log(session->log_context, STS_LOG_ERROR, session->error);
  return status;
}

int fake_fail_errno(sts_session_t *session, const char *path) {
  int status = errno == ENOENT ? STS_ENOENT : errno == ENOSPC ? STS_ENOSPC : STS_ESYSTEM;
  return fake_fail(session, status, "%s: %s", path, strerror(errno));
}

int fake_lsu_path(sts_session_t *session, const char *lsu, char *path, size_t size) {
  const char *root = getenv("FAKE_STORE");
  if (root == NULL) return fake_fail(session, STS_ENOTMOUNTED, "FAKE_STORE is not set");
  if (lsu == NULL || *lsu == '\0' || strchr(lsu, '/') != NULL || strlen(lsu) >= STS_MAX_LSUNAME) {
    return fake_fail(session, STS_EINVAL, "no LSU name");
  }
  snprintf(path, size, "%s/%s", root, lsu);
  if (access(path, F_OK) != 0) return fake_fail(session, STS_ENOENT, "LSU %s: no such LSU", lsu);
  return STS_EOK;
}

/* <lsu>/<first bytes in hex>-<hash of all>~<date>: long and hostile names fit. */
int fake_image_path(sts_session_t *session, const char *lsu, const sts_image_def_t *def, char *path, size_t size) {
  int status = fake_lsu_path(session, lsu, path, size);
  if (status != STS_EOK) return status;
  if (def == NULL || def->img_basename[0] == '\0' || memchr(def->img_basename, 0, STS_MAX_IMAGENAME) == NULL) {
    return fake_fail(session, STS_EINVAL, "no image name");
  }
  size_t used = strlen(path);
  used += (size_t)snprintf(path + used, size - used, "/");
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; def->img_basename[i] != '\0'; i++) {
    unsigned char byte = (unsigned char)def->img_basename[i];
    hash = (hash ^ byte) * 1099511628211u;
    if (i < 60) used += (size_t)snprintf(path + used, size - used, "%02x", byte);
  }
  snprintf(path + used, size - used, "-%016llx~%llu", (unsigned long long)hash, (unsigned long long)def->img_date);
  return STS_EOK;
}

static void file_of(const char *directory, const char *name, char *path, size_t size) {
  snprintf(path, size, "%s/%s", directory, name);
}

int fake_info_read(sts_session_t *session, const char *directory, struct fake_info *info) {
  char path[4200];
  file_of(directory, "info", path, sizeof path);
  FILE *file = fopen(path, "rbe");
  if (file == NULL) return fake_fail_errno(session, path);
  size_t count = fread(info, sizeof *info, 1, file);
  fclose(file);
  return count == 1 ? STS_EOK : fake_fail(session, STS_EDAMAGED, "%s: cut off", path);
}

int fake_info_write(sts_session_t *session, const char *directory, const struct fake_info *info) {
  char path[4200], temporary[4200];
  file_of(directory, "info", path, sizeof path);
  file_of(directory, "info.new", temporary, sizeof temporary);
  FILE *file = fopen(temporary, "wbe");
  if (file == NULL) return fake_fail_errno(session, temporary);
  size_t count = fwrite(info, sizeof *info, 1, file);
  if (fclose(file) != 0 || count != 1 || rename(temporary, path) != 0) return fake_fail_errno(session, path);
  return STS_EOK;
}

/* Held by a process that lives: `busy` holds its pid. */
bool fake_is_busy(const char *directory) {
  char path[4200];
  int pid = 0;
  file_of(directory, "busy", path, sizeof path);
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  int count = fscanf(file, "%d", &pid);
  fclose(file);
  return count == 1 && (kill(pid, 0) == 0 || errno != ESRCH);
}

int fake_set_busy(sts_session_t *session, const char *directory, bool busy) {
  char path[4200];
  file_of(directory, "busy", path, sizeof path);
  if (!busy) return unlink(path) == 0 ? STS_EOK : fake_fail_errno(session, path);
  FILE *file = fopen(path, "we");
  if (file == NULL) return fake_fail_errno(session, path);
  fprintf(file, "%d\n", (int)getpid());
  return fclose(file) == 0 ? STS_EOK : fake_fail_errno(session, path);
}

uint64_t fake_size(const char *directory) {
  char path[4200];
  file_of(directory, "data", path, sizeof path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  off_t end = lseek(fd, 0, SEEK_END);
  close(fd);
  return end < 0 ? 0 : (uint64_t)end;
}

void fake_describe(const char *directory, const struct fake_info *info, sts_image_info_t *out) {
  memset(out, 0, sizeof *out);
  out->imo_def = info->def;
  bool busy = fake_is_busy(directory);
  out->imo_size = info->complete || busy ? fake_size(directory) : info->durable;
  out->imo_durable = info->complete ? out->imo_size : info->durable;
  out->imo_phys = out->imo_size;
  out->imo_status = info->complete ? STS_II_IMAGE_CREATED : STS_II_IMAGE_PENDING | (busy ? STS_II_BUSY_WRITE : 0);
  out->imo_fragments = 1;
  out->imo_metadata_length = info->metadata_length;
}

bool fake_fault_number(const char *name, uint64_t *number) {
  const char *fault = getenv("FAKE_FAULT");
  size_t length = strlen(name);
  if (fault == NULL || strncmp(fault, name, length) != 0 || (fault[length] != ' ' && fault[length] != '\0')) return false;
  *number = 0;
  for (const char *at = fault + length; *at != '\0'; at++) {
    if (*at >= '0' && *at <= '9') *number = *number * 10 + (uint64_t)(*at - '0');
  }
  return true;
}

int fake_fault(sts_session_t *session, const char *call) {
  static unsigned calls;
  const char *fault = getenv("FAKE_FAULT");
  char name[16];
  unsigned number = 0;
  int status = 0;
  if (fault == NULL || sscanf(fault, "%15s %u %d", name, &number, &status) != 3 || strcmp(name, call) != 0) return STS_EOK;
  return ++calls == number ? fake_fail(session, status, "planted failure of %s %u", call, number) : STS_EOK;
}
