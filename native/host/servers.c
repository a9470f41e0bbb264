/* servers.c: the commands server, create-lsu and label-lsu. */
#include "commands.h"
#include "properties.h"
#include "report.h"

int run_server(const struct options *options) {
  struct host host;
  struct report report;
  sts_server_info_t info = {.capabilities = 0};
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  const char *version = "";
  if (host_start(&host, options, 0)) {
    version = host.plugin.version();
    int status = host.plugin.get_server_prop_byname(&host.session, options->server, &info);
    host_call(&host, status, "stsp_get_server_prop_byname");
  }
  report_begin(&report, &host.outcome);
  if (host.outcome.status == STS_EOK) {
    if (options->json) {
      properties_server(&report.json, &info);
      json_text(&report.json, "plugin_version", version);
      json_text(&report.json, "plugin_path", host.plugin.path);
    } else {
      fprintf(report.json.out, "server        %s\nplug-in       %s (%s)\nengine        %s, store %s, %s\n", info.server, version,
              host.plugin.path, info.engine_version, info.store, info.mounted ? "mounted" : "NOT MOUNTED");
      fprintf(report.json.out, "capabilities %s%s%s\nblock size    %u\n",
              info.capabilities & STS_SRVC_COPY_IMAGE ? " copy_image" : "",
              info.capabilities & STS_SRVC_WRITE_IMAGE_RANDOM ? " write_image_random" : "",
              info.capabilities & STS_SRVC_READ_IMAGE_META ? " read_image_meta" : "", info.block_size);
    }
  }
  host_end(&host); /* after the report: the version's text lives in the plug-in */
  return report_end(&report, &host.outcome);
}

int run_create_lsu(const struct options *options) {
  struct host host;
  struct report report;
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  if (host_connect(&host, options, 0)) {
    host_call(&host, host.plugin.create_lsu(host.server, options->lsu), "stsp_create_lsu");
  }
  host_end(&host);
  report_begin(&report, &host.outcome);
  return report_end(&report, &host.outcome);
}

int run_label_lsu(const struct options *options) {
  struct host host;
  struct report report;
  if (options->label == NULL) {
    fprintf(stderr, "vast-ost-host label-lsu: no label; give --label TEXT\n");
    return EXIT_USAGE;
  }
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  if (host_connect(&host, options, 0)) {
    host_call(&host, host.plugin.label_lsu(host.server, options->lsu, options->label), "stsp_label_lsu");
  }
  host_end(&host);
  report_begin(&report, &host.outcome);
  return report_end(&report, &host.outcome);
}
