/* images.c: the commands info, delete, copy, meta-read and meta-write. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "properties.h"
#include "report.h"
#include "status.h"

static void info_lines(FILE *out, const sts_image_info_t *info) {
  const sts_image_def_t *def = &info->imo_def;
  fputs("image      ", out);
  report_name(out, def->img_basename);
  fprintf(out, "\ndate       %llu\nstate      %s\n", (unsigned long long)def->img_date, state_name(info->imo_status));
  fprintf(out, "size       %llu (durable %llu, on storage %llu, %u fragments)\n", (unsigned long long)info->imo_size,
          (unsigned long long)info->imo_durable, (unsigned long long)info->imo_phys, info->imo_fragments);
  fputs("id         ", out);
  for (size_t i = 0; i < sizeof info->imo_id; i++) fprintf(out, "%02x", info->imo_id[i]);
  fprintf(out, "\nchecksum   %s\npolicy     %s\nschedule   %s\nclient     %s\nopaque     %u bytes, metadata %u bytes\n",
          info->imo_checksum, def->img_policy, def->img_schedule, def->img_client, def->img_opaque_length,
          info->imo_metadata_length);
}

int run_info(const struct options *options) {
  struct host host;
  struct report report;
  sts_image_def_t def;
  sts_image_info_t info;
  memset(&info, 0, sizeof info);
  if (!options_image(options, 0, &def)) return EXIT_USAGE;
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  if (host_connect(&host, options, 0)) {
    int status = host.plugin.get_image_prop_byname(host.server, options->lsu, &def, &info);
    host_call(&host, status, "stsp_get_image_prop_byname");
  }
  host_end(&host);
  report_begin(&report, &host.outcome);
  if (host.outcome.status == STS_EOK) {
    if (options->json) {
      properties_image(&report.json, &info);
    } else {
      info_lines(report.json.out, &info);
    }
  }
  return report_end(&report, &host.outcome);
}

int run_delete(const struct options *options) {
  struct host host;
  struct report report;
  sts_image_def_t def;
  if (!options_image(options, 0, &def)) return EXIT_USAGE;
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  if (host_connect(&host, options, 0)) {
    host_call(&host, host.plugin.delete_image(host.server, options->lsu, &def, 0), "stsp_delete_image");
  }
  host_end(&host);
  report_begin(&report, &host.outcome);
  return report_end(&report, &host.outcome);
}

int run_copy(const struct options *options) {
  struct host host;
  struct report report;
  sts_image_def_t from, to;
  sts_uint32_t method = 0;
  if (!options_image(options, 0, &from)) return EXIT_USAGE;
  to = from;
  if (options->to_image != NULL) {
    if (*options->to_image == '\0' || strlen(options->to_image) >= STS_MAX_IMAGENAME) {
      fprintf(stderr, "vast-ost-host copy: --to-image takes 1 to %u bytes\n", STS_MAX_IMAGENAME - 1);
      return EXIT_USAGE;
    }
    memset(to.img_basename, 0, sizeof to.img_basename);
    memcpy(to.img_basename, options->to_image, strlen(options->to_image));
  }
  if (options->to_date != UNSET) to.img_date = options->to_date;
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  if (host_connect(&host, options, 0)) {
    const char *to_lsu = options->to_lsu == NULL ? options->lsu : options->to_lsu;
    int status = host.plugin.copy_image(host.server, to_lsu, &to, options->lsu, &from, &method);
    host_call(&host, status, "stsp_copy_image");
  }
  host_end(&host);
  report_begin(&report, &host.outcome);
  if (host.outcome.status == STS_EOK) {
    if (options->json) {
      json_text(&report.json, "method", copy_method_name(method));
    } else {
      fprintf(report.json.out, "copied by %s\n", copy_method_name(method));
    }
  }
  return report_end(&report, &host.outcome);
}

/* Opens the image, reads or writes its metadata, closes it (a writer: incomplete). */
static void move_metadata(struct host *host, const sts_image_def_t *def, int mode, unsigned char *bytes, sts_uint32_t *length) {
  sts_image_t *image = NULL;
  int status = host->plugin.open_image(host->server, host->options->lsu, def, mode, &image);
  if (!host_call(host, status, "stsp_open_image")) return;
  if (mode == STS_MODE_READ) {
    status = host->plugin.read_image_meta(image, bytes, STS_MAX_METADATA, 0, length);
    host_call(host, status, "stsp_read_image_meta");
  } else {
    sts_uint32_t written = 0;
    status = host->plugin.write_image_meta(image, bytes, *length, 0, &written);
    host_call(host, status, "stsp_write_image_meta");
  }
  host_call(host, host->plugin.close_image(image, STS_CLOSEF_IH_INCOMPLETE), "stsp_close_image");
}

int run_meta_read(const struct options *options) {
  static unsigned char bytes[STS_MAX_METADATA];
  struct host host;
  struct report report;
  sts_image_def_t def;
  sts_uint32_t length = 0;
  if (!options_image(options, 0, &def)) return EXIT_USAGE;
  if (!report_open(&report, options, !options->json)) return EXIT_FAILED;
  if (host_connect(&host, options, 0)) move_metadata(&host, &def, STS_MODE_READ, bytes, &length);
  if (host.outcome.status == STS_EOK && !options->json && fwrite(bytes, 1, length, stdout) != length) {
    host_failed(&host, HOST_FAILED, "cannot write standard output: %s", strerror(errno));
  }
  host_end(&host);
  report_begin(&report, &host.outcome);
  if (host.outcome.status == STS_EOK && options->json) json_hex(&report.json, "metadata", bytes, length);
  return report_end(&report, &host.outcome);
}

/* The bytes: --text, else standard input. The image must be pending. */
int run_meta_write(const struct options *options) {
  static unsigned char bytes[STS_MAX_METADATA + 1];
  struct host host;
  struct report report;
  sts_image_def_t def;
  size_t length = 0;
  if (!options_image(options, 0, &def)) return EXIT_USAGE;
  if (options->text != NULL) {
    length = strnlen(options->text, sizeof bytes);
    memcpy(bytes, options->text, length);
  } else {
    length = fread(bytes, 1, sizeof bytes, stdin);
  }
  if (length > STS_MAX_METADATA || length == 0) {
    fprintf(stderr, "vast-ost-host meta-write: the metadata must be 1 to %u bytes\n", STS_MAX_METADATA);
    return EXIT_USAGE;
  }
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  sts_uint32_t count = (sts_uint32_t)length;
  if (host_connect(&host, options, 0)) move_metadata(&host, &def, STS_MODE_WRITE, bytes, &count);
  host_end(&host);
  report_begin(&report, &host.outcome);
  return report_end(&report, &host.outcome);
}
