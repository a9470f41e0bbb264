/* bptm forks: a child may not use what its parent opened, and can do no harm by trying or by closing it. */
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "../handle.h"
#include "../image.h"

#define SLOT_BYTES 8192u

static void play(struct engine *engine) {
  int server = fake_hello(engine);
  int writer = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  unsigned char *memory = fake_arena(writer, 1, 1, SLOT_BYTES);
  fake_credit(writer, 1, 0, 0);
  struct wire_list_opened list = {1, 0};
  (void)fake_expect(server, WIRE_LSU_LIST_OPEN);
  fake_reply(server, WIRE_OK, "", &list, sizeof list);
  /* what the child did has not come here: the parent goes on as if nothing had been */
  (void)fake_expect(writer, WIRE_SUBMIT);
  fake_closed(writer, WIRE_CLOSE_COMPLETE);
  (void)fake_expect(server, WIRE_LIST_CLOSE);
  fake_reply(server, WIRE_OK, "", NULL, 0);
  fake_expect_end(server);
  fake_arena_end(memory, 1, SLOT_BYTES);
}

/* Exit code: the first call that did not do what it should. */
static int child(sts_server_t *server, sts_image_t *image, sts_lsu_list_t *list, int descriptors) {
  static unsigned char bytes[512];
  sts_image_def_t def = def_named("y");
  sts_image_info_t info;
  sts_lsu_info_t lsu;
  sts_image_t *other = NULL;
  sts_uint64_t done = 9;
  char name[STS_MAX_LSUNAME];
  if (stsp_write_image(image, NULL, bytes, 512, 512, &done) != STS_ESTATE || done != 0) return 1;
  if (stsp_flush_image(image) != STS_ESTATE) return 2;
  if (stsp_read_image(image, bytes, 512, 0, &done) != STS_ESTATE) return 3;
  if (stsp_get_image_prop(image, &info) != STS_ESTATE) return 4;
  if (stsp_get_lsu_prop_byname(server, "lsu", &lsu) != STS_ESTATE) return 5;
  if (stsp_create_image(server, "lsu", &def, 0, &other) != STS_ESTATE || other) return 6;
  if (stsp_list_lsu(list, name) != STS_ESTATE) return 7;
  if (stsp_close_lsu_list(list) != STS_ESTATE) return 8;
  if (stsp_close_image(image, STS_CLOSEF_IH_COMPLETE) != STS_ESTATE) return 9;
  if (stsp_close_server(server) != STS_ESTATE) return 10;
  if (stsp_close_image(image, STS_CLOSEF_IH_COMPLETE) != STS_EINVAL) return 11; /* freed here */
  if (open_descriptors() != descriptors - 2) return 12;
  return 0;
}

TEST(a_child_cannot_use_its_parents_handles) {
  static unsigned char bytes[1024];
  struct engine engine;
  sts_session_t session = new_session();
  sts_lsu_list_t *list;
  engine_start(&engine, play, NULL);
  sts_server_t *server = open_server(&session);
  sts_image_t *image = create_image(&session, server, "x");
  CHECK_STATUS(stsp_open_lsu_list(server, &list), STS_EOK);
  CHECK_STATUS(stsp_write_image(image, NULL, bytes, 512, 0, NULL), STS_EOK);
  const struct stsp__image *inside = stsp__handle_get(image, STSP_IMAGE);
  volatile const unsigned char *base = inside->arena.base;
  CHECK(base != NULL);
  int descriptors = open_descriptors();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) _exit(child(server, image, list, descriptors));
  int result;
  CHECK_NUM(waitpid(pid, &result, 0), pid);
  CHECK(WIFEXITED(result));
  CHECK_NUM(WEXITSTATUS(result), 0);
  pid = fork(); /* the mapping is not there: a child can write no byte of the image */
  CHECK(pid >= 0);
  if (pid == 0) {
    int pipes[2];
    if (pipe(pipes) != 0) _exit(2);
    _exit(write(pipes[1], (const void *)(uintptr_t)base, 1) == -1 ? 0 : 1); /* EFAULT, no signal */
  }
  CHECK_NUM(waitpid(pid, &result, 0), pid);
  CHECK_NUM(WEXITSTATUS(result), 0);
  CHECK_STATUS(stsp_write_image(image, NULL, bytes, 512, 512, NULL), STS_EOK);
  CHECK_STATUS(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_EOK);
  CHECK_STATUS(stsp_close_lsu_list(list), STS_EOK);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}
