/* The engine dies in the middle of each call: a plain status, a text that says what to do, nothing leaked. */
#include <string.h>
#include <unistd.h>

#include "fake.h"

struct death {
  const char *name;
  uint16_t type;       /* frame at which the engine goes */
  const char *advice;  /* words of the text */
};

/* Answers everything that has to work before, by type; goes at the wanted frame. */
static void *connection(void *argument) {
  int fd = ((const int *)argument)[0];
  uint16_t last = (uint16_t)((const int *)argument)[1];
  unsigned char *memory = NULL;
  for (const struct wire_header *frame = fake_take(fd); frame && frame->type != last; frame = fake_take(fd)) {
    struct wire_hello_ok hello = {.major = WIRE_MAJOR};
    struct wire_image_opened opened = {.size = 1 << 20, .durable_size = 0};
    struct wire_list_opened list = {7, 0};
    switch (frame->type) {
      case WIRE_HELLO: fake_reply(fd, WIRE_OK, "", &hello, sizeof hello); break;
      case WIRE_LSU_LIST_OPEN:
      case WIRE_IMAGE_LIST_OPEN: fake_reply(fd, WIRE_OK, "", &list, sizeof list); break;
      case WIRE_IMAGE_CREATE:
      case WIRE_IMAGE_OPEN:
        fake_reply(fd, WIRE_OK, "", &opened, sizeof opened);
        memory = fake_arena(fd, 1, 1, 8192);
        if (frame->type == WIRE_IMAGE_CREATE) fake_credit(fd, 1, 0, 0);
        break;
      case WIRE_SUBMIT:
      case WIRE_POPULATE: break;
      default: fail_at(__FILE__, __LINE__, "frame of type %u", (unsigned)frame->type);
    }
  }
  if (memory) fake_arena_end(memory, 1, 8192);
  close(fd);
  return NULL;
}

static void play(struct engine *engine) {
  const struct death *death = engine->argument;
  pthread_t threads[2];
  int arguments[2][2];
  bool image = death->type >= WIRE_IMAGE_CREATE && death->type < WIRE_REPLY;
  unsigned count = image ? 2 : 1;
  for (unsigned i = 0; i < count; i++) {
    arguments[i][0] = fake_accept(engine);
    arguments[i][1] = death->type;
    CHECK_NUM(pthread_create(&threads[i], NULL, connection, arguments[i]), 0);
  }
  for (unsigned i = 0; i < count; i++) CHECK_NUM(pthread_join(threads[i], NULL), 0);
}

static int call_server(sts_session_t *session, sts_server_t *server, uint16_t type) {
  sts_image_def_t def = def_named("image_C1_F1");
  sts_image_info_t image_info;
  sts_server_info_t server_info;
  sts_lsu_info_t lsu_info;
  sts_lsu_list_t *lsus;
  sts_image_list_t *images;
  char name[STS_MAX_LSUNAME];
  int status;
  switch (type) {
    case WIRE_SERVER_PROP: return stsp_get_server_prop(server, &server_info);
    case WIRE_LSU_PROP: return stsp_get_lsu_prop_byname(server, "lsu", &lsu_info);
    case WIRE_LSU_CREATE: return stsp_create_lsu(server, "lsu");
    case WIRE_LSU_LABEL: return stsp_label_lsu(server, "lsu", "label");
    case WIRE_LSU_LIST_OPEN: return stsp_open_lsu_list(server, &lsus);
    case WIRE_IMAGE_LIST_OPEN: return stsp_open_image_list(server, "lsu", 0, &images);
    case WIRE_IMAGE_PROP_BYNAME: return stsp_get_image_prop_byname(server, "lsu", &def, &image_info);
    case WIRE_IMAGE_DELETE: return stsp_delete_image(server, "lsu", &def, 0);
    case WIRE_IMAGE_COPY: return stsp_copy_image(server, "to", &def, "from", &def, NULL);
    case WIRE_LSU_LIST_NEXT:
      CHECK_NUM(stsp_open_lsu_list(server, &lsus), STS_EOK);
      status = stsp_list_lsu(lsus, name);
      CHECK_NUM(stsp_close_lsu_list(lsus), STS_ESOCKET);
      return status;
    case WIRE_IMAGE_LIST_NEXT:
      CHECK_NUM(stsp_open_image_list(server, "lsu", 0, &images), STS_EOK);
      status = stsp_list_image(images, &def);
      CHECK_NUM(stsp_close_image_list(images), STS_ESOCKET);
      return status;
    case WIRE_LIST_CLOSE:
      CHECK_NUM(stsp_open_image_list(server, "lsu", 0, &images), STS_EOK);
      return stsp_close_image_list(images);
    default: (void)session; fail_at(__FILE__, __LINE__, "type %u", (unsigned)type);
  }
}

static int call_image(sts_session_t *session, sts_server_t *server, uint16_t type) {
  static unsigned char bytes[1 << 16];
  sts_image_def_t def = def_named("image_C1_F1");
  sts_image_info_t info;
  sts_image_t *image;
  sts_uint64_t got64;
  sts_uint32_t got;
  int status;
  if (type == WIRE_IMAGE_OPEN) return stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image);
  if (type == WIRE_READ) {
    CHECK_NUM(stsp_open_image(server, "lsu", &def, STS_MODE_READ, &image), STS_EOK);
    got64 = 9;
    status = stsp_read_image(image, bytes, 512, 0, &got64);
    CHECK_NUM(got64, 0);
    CHECK_NUM(stsp_close_image(image, 0), STS_ESOCKET);
    return status;
  }
  status = stsp_create_image(server, "lsu", &def, 0, &image);
  if (type == WIRE_IMAGE_CREATE) return status;
  CHECK_NUM(status, STS_EOK);
  switch (type) {
    case WIRE_SUBMIT: /* the write waits for the slot's credit */
      status = stsp_write_image(image, NULL, bytes, sizeof bytes, 0, &got64);
      CHECK_NUM(got64, 0);
      break;
    case WIRE_FLUSH: status = stsp_flush_image(image); break;
    case WIRE_METADATA_WRITE: status = stsp_write_image_meta(image, "x", 1, 0, &got); break;
    case WIRE_METADATA_READ: status = stsp_read_image_meta(image, bytes, 10, 0, &got); break;
    case WIRE_IMAGE_PROP: status = stsp_get_image_prop(image, &info); break;
    case WIRE_CLOSE: return stsp_close_image(image, STS_CLOSEF_IH_COMPLETE);
    default: fail_at(__FILE__, __LINE__, "type %u", (unsigned)type);
  }
  char text[STS_MAX_ERROR];
  memcpy(text, session->error, sizeof text);
  CHECK_NUM(stsp_close_image(image, STS_CLOSEF_IH_COMPLETE), STS_ESOCKET);
  memcpy(session->error, text, sizeof text);
  return status;
}

static const struct death deaths[] = {
    {"server properties", WIRE_SERVER_PROP, "open the storage server again"},
    {"LSU properties", WIRE_LSU_PROP, "open the storage server again"},
    {"creating an LSU", WIRE_LSU_CREATE, "open the storage server again"},
    {"labelling an LSU", WIRE_LSU_LABEL, "open the storage server again"},
    {"opening an LSU list", WIRE_LSU_LIST_OPEN, "open the storage server again"},
    {"the next LSU", WIRE_LSU_LIST_NEXT, "open the storage server again"},
    {"opening an image list", WIRE_IMAGE_LIST_OPEN, "open the storage server again"},
    {"the next image", WIRE_IMAGE_LIST_NEXT, "open the storage server again"},
    {"closing a list", WIRE_LIST_CLOSE, "open the storage server again"},
    {"properties by name", WIRE_IMAGE_PROP_BYNAME, "image image_C1_F1~1279020655 in LSU lsu"},
    {"delete", WIRE_IMAGE_DELETE, "image image_C1_F1~1279020655 in LSU lsu"},
    {"copy", WIRE_IMAGE_COPY, "image image_C1_F1~1279020655 in LSU to"},
    {"create", WIRE_IMAGE_CREATE, "may be there, pending"},
    {"open", WIRE_IMAGE_OPEN, "open the image again"},
    {"write", WIRE_SUBMIT, "the image is pending: open it for write again"},
    {"flush", WIRE_FLUSH, "the image is pending: open it for write again"},
    {"close", WIRE_CLOSE, "whether the image is complete is not known"},
    {"metadata write", WIRE_METADATA_WRITE, "the image is pending: open it for write again"},
    {"metadata read", WIRE_METADATA_READ, "the image is pending: open it for write again"},
    {"image properties", WIRE_IMAGE_PROP, "the image is pending: open it for write again"},
    {"read", WIRE_READ, "open the image again"},
};

TEST(engine_dies_in_each_call) {
  for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
    struct engine engine;
    sts_session_t session = new_session();
    bool image = deaths[i].type >= WIRE_IMAGE_CREATE;
    int before = open_descriptors();
    engine_start(&engine, play, &deaths[i]);
    sts_server_t *server = open_server(&session);
    int status = (image ? call_image : call_server)(&session, server, deaths[i].type);
    if (status != STS_ESOCKET || !contains(session.error, deaths[i].advice) ||
        !contains(session.error, run_path("engine.sock")))
      fail_at(__FILE__, __LINE__, "%s: status %d, text \"%s\"", deaths[i].name, status, session.error);
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
    CHECK_NUM(open_descriptors(), before);
  }
}
