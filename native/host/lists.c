/* lists.c: the commands list and lsus. */
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "properties.h"
#include "report.h"
#include "status.h"

/* How many images came, and when, from the beginning of the call that opened the list. */
struct listing {
  uint64_t count, began_ns, first_ns, ended_ns;
};

static void image_line(struct report *report, const sts_image_def_t *def, const sts_image_info_t *info) {
  struct json *json = &report->json;
  if (report->options->count_only) return;
  if (!report->options->json) {
    if (info != NULL) {
      fprintf(json->out, "%-9s %16llu ", state_name(info->imo_status), (unsigned long long)info->imo_size);
    }
    fprintf(json->out, "%12llu ", (unsigned long long)def->img_date);
    report_name(json->out, def->img_basename);
    fputc('\n', json->out);
    return;
  }
  json_open(json, NULL, '{');
  if (info != NULL) {
    properties_image(json, info);
  } else {
    properties_def(json, def);
  }
  json_close(json, '}');
}

/* One more image; with --details its properties too. An image that was deleted meanwhile is left out. */
static bool one_image(struct host *host, struct report *report, const sts_image_def_t *def, struct listing *listing) {
  sts_image_info_t info;
  if (!host->options->details_too) {
    image_line(report, def, NULL);
    if (listing->count++ == 0) listing->first_ns = clock_ns();
    return true;
  }
  int status = host->plugin.get_image_prop_byname(host->server, host->options->lsu, def, &info);
  if (status == STS_ENOENT) return true;
  if (!host_call(host, status, "stsp_get_image_prop_byname")) return false;
  image_line(report, def, &info);
  if (listing->count++ == 0) listing->first_ns = clock_ns();
  return true;
}

static void list_images(struct host *host, struct report *report, sts_uint32_t states, struct listing *listing) {
  sts_image_list_t *list = NULL;
  listing->began_ns = clock_ns();
  int status = host->plugin.open_image_list(host->server, host->options->lsu, states, &list);
  if (!host_call(host, status, "stsp_open_image_list")) return;
  for (;;) {
    sts_image_def_t def;
    status = host->plugin.list_image(list, &def);
    if (status == STS_ENOENT || !host_call(host, status, "stsp_list_image")) break;
    if (!one_image(host, report, &def, listing)) break;
  }
  host_call(host, host->plugin.close_image_list(list), "stsp_close_image_list");
  listing->ended_ns = clock_ns();
}

static void report_listing(struct report *report, const struct listing *listing) {
  double seconds = (double)(listing->ended_ns - listing->began_ns) / 1e9;
  double first = listing->count == 0 ? 0 : (double)(listing->first_ns - listing->began_ns) / 1e9;
  if (report->options->json) {
    json_number(&report->json, "count", listing->count);
    json_decimal(&report->json, "first_s", first);
    json_decimal(&report->json, "seconds", seconds);
  } else if (report->options->count_only) {
    fprintf(report->json.out, "%llu images, the first after %.3f s, all after %.3f s\n",
            (unsigned long long)listing->count, first, seconds);
  }
}

/* The JSON line has the list first: whether it is whole is known only at its end. */
int run_list(const struct options *options) {
  sts_uint32_t states = 0;
  if (options->state != NULL) {
    if (strcmp(options->state, "complete") == 0) states = STS_LIST_COMPLETE;
    if (strcmp(options->state, "pending") == 0) states = STS_LIST_PENDING;
    if (states == 0) {
      fprintf(stderr, "vast-ost-host list: --state takes complete or pending, not \"%s\"\n", options->state);
      return EXIT_USAGE;
    }
  }
  struct report report;
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  struct host host;
  struct listing listing = {.count = 0};
  bool connected = host_connect(&host, options, 0);
  if (options->json) {
    json_open(&report.json, NULL, '{');
    json_open(&report.json, "images", '[');
  }
  if (connected) list_images(&host, &report, states, &listing);
  if (options->json) json_close(&report.json, ']');
  host_end(&host);
  report_members(&report, &host.outcome);
  report_listing(&report, &listing);
  return report_end(&report, &host.outcome);
}

static bool lsu_line(struct host *host, struct report *report, const char *name) {
  sts_lsu_info_t info;
  int status = host->plugin.get_lsu_prop_byname(host->server, name, &info);
  if (!host_call(host, status, "stsp_get_lsu_prop_byname")) return false;
  struct json *json = &report->json;
  if (!report->options->json) {
    fprintf(json->out, "%-24s capacity %llu, used %llu (%llu on storage), free %llu, label \"%s\"%s\n", name,
            (unsigned long long)info.lsu_capacity, (unsigned long long)info.lsu_used,
            (unsigned long long)info.lsu_used_phys, (unsigned long long)info.lsu_free, info.lsu_label,
            info.lsu_flags & STS_LSUF_ACTIVE ? "" : ", not active");
    return true;
  }
  json_open(json, NULL, '{');
  json_bytes(json, "lsu", name, strlen(name));
  json_hex(json, "lsu_hex", name, strlen(name));
  properties_lsu(json, &info);
  json_close(json, '}');
  return true;
}

static void list_lsus(struct host *host, struct report *report) {
  sts_lsu_list_t *list = NULL;
  if (!host_call(host, host->plugin.open_lsu_list(host->server, &list), "stsp_open_lsu_list")) return;
  for (;;) {
    char name[STS_MAX_LSUNAME];
    int status = host->plugin.list_lsu(list, name);
    if (status == STS_ENOENT || !host_call(host, status, "stsp_list_lsu")) break;
    if (!lsu_line(host, report, name)) break;
  }
  host_call(host, host->plugin.close_lsu_list(list), "stsp_close_lsu_list");
}

int run_lsus(const struct options *options) {
  struct report report;
  if (!report_open(&report, options, false)) return EXIT_FAILED;
  struct host host;
  bool connected = host_connect(&host, options, 0);
  if (options->json) {
    json_open(&report.json, NULL, '{');
    json_open(&report.json, "lsus", '[');
  }
  if (connected) list_lsus(&host, &report);
  if (options->json) json_close(&report.json, ']');
  host_end(&host);
  report_members(&report, &host.outcome);
  return report_end(&report, &host.outcome);
}
