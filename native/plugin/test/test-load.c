/*
 * Loads and unloads the built libraries ($STSP_LIBRARIES) a hundred times each, beside each other, with a handle opened and
 * closed in between: nothing is left behind. A program of its own: it must not be linked with the plug-in.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

/* Mappings of the libraries in this process. */
static int mappings(void) {
  char line[512];
  int count = 0;
  FILE *file = fopen("/proc/self/maps", "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file)) count += contains(line, "libstspiVastData");
  fclose(file);
  return count;
}

static void *load(const char *path, const char *symbol, void **function) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) fail_at(__FILE__, __LINE__, "%s", dlerror());
  *function = dlsym(library, symbol);
  CHECK(*function != NULL);
  return library;
}

#define ROUNDS 100

static void play_hellos(struct engine *engine) {
  for (int i = 0; i < 2 * ROUNDS; i++) {
    int fd = fake_hello(engine);
    fake_expect_end(fd);
  }
}

static void use(void *library, const char *config) {
  int (*init)(sts_uint32_t, const char *, char *, size_t);
  int (*open)(sts_session_t *, const char *, sts_server_t **);
  int (*close_server)(sts_server_t *);
  int (*terminate)(void);
  *(void **)&init = dlsym(library, "stsp_init");
  *(void **)&open = dlsym(library, "stsp_open_server");
  *(void **)&close_server = dlsym(library, "stsp_close_server");
  *(void **)&terminate = dlsym(library, "stsp_terminate");
  char error[200];
  sts_session_t session = new_session();
  sts_server_t *server;
  CHECK_NUM(init(STSP_ABI_VERSION, config, error, sizeof error), STS_EOK);
  CHECK_STATUS(open(&session, "VastData:test", &server), STS_EOK);
  CHECK_STATUS(close_server(server), STS_EOK);
  CHECK_NUM(terminate(), STS_EOK);
}

TEST(loaded_and_unloaded_a_hundred_times) {
  struct engine engine;
  void *version;
  char config[128], libraries[2][256];
  const char *given = getenv("STSP_LIBRARIES");
  CHECK(given != NULL && strlen(given) < 200);
  snprintf(libraries[0], sizeof libraries[0], "%s/libstspiVastData.so", given);
  snprintf(libraries[1], sizeof libraries[1], "%s/libstspiVastDataMT.so", given);
  engine_start(&engine, play_hellos, NULL);
  snprintf(config, sizeof config, "%s", run_path("vast-ost.conf"));
  int descriptors = 0;
  for (int i = 0; i < ROUNDS; i++) {
    void *first = load(libraries[0], "stsp_version", &version);
    const char *(*ask)(void);
    *(void **)&ask = version;
    CHECK(strncmp(ask(), "vast-ost ", 9) == 0);
    void *second = load(libraries[1], "stsp_version", &version);
    CHECK(first != second && mappings() > 0);
    use(first, config);
    use(second, config);
    CHECK_NUM(dlclose(first), 0);
    CHECK_NUM(dlclose(second), 0);
    CHECK(dlopen(libraries[0], RTLD_NOW | RTLD_NOLOAD) == NULL); /* really gone */
    CHECK_NUM(mappings(), 0);
    if (i == 9) descriptors = open_descriptors();
  }
  /* the engine's thread closes its end in its own time: it is joined before descriptors are counted */
  engine_join(&engine);
  CHECK(open_descriptors() <= descriptors);
}

/* The harness initialises the plug-in for its tests; here that is the libraries' own business. */
int stsp_init(sts_uint32_t abi_version, const char *config_path, char *error, size_t error_size) {
  (void)abi_version, (void)config_path, (void)error, (void)error_size;
  return STS_EOK;
}
int stsp_open_server(sts_session_t *session, const char *server_name, sts_server_t **server) {
  (void)session, (void)server_name, (void)server;
  return STS_EINTERNAL;
}
int stsp_create_image(sts_server_t *server, const char *lsu_name, const sts_image_def_t *def, int pending_hint,
                      sts_image_t **image) {
  (void)server, (void)lsu_name, (void)def, (void)pending_hint, (void)image;
  return STS_EINTERNAL;
}
