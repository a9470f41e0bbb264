/* Lists in pages, properties, metadata: what goes over is what comes back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

/* ---- lists ------------------------------------------------------------------------------------------------------------- */

static void play_lsus(struct engine *engine) {
  static const uint32_t pages[] = {WIRE_LSU_PAGE_MAX, 1, 0};
  static struct {
    struct wire_lsu_page head;
    char names[WIRE_LSU_PAGE_MAX][WIRE_LSU_MAX];
  } page;
  int server = fake_hello(engine);
  struct wire_list_opened opened = {77, 0};
  unsigned name = 0;
  (void)fake_expect(server, WIRE_LSU_LIST_OPEN);
  fake_reply(server, WIRE_OK, "", &opened, sizeof opened);
  for (size_t i = 0; i < 3; i++) {
    const struct wire_list *next = fake_expect(server, WIRE_LSU_LIST_NEXT);
    CHECK_NUM(next->list, 77);
    memset(&page, 0, sizeof page);
    page.head.count = pages[i];
    for (uint32_t j = 0; j < pages[i]; j++) snprintf(page.names[j], WIRE_LSU_MAX, "lsu-%u", name++);
    fake_reply(server, WIRE_OK, "", &page, sizeof page.head + pages[i] * WIRE_LSU_MAX);
  }
  (void)fake_expect(server, WIRE_LIST_CLOSE);
  fake_reply(server, WIRE_OK, "", NULL, 0);
  fake_expect_end(server);
}

TEST(an_lsu_list_goes_over_pages_and_stays_at_its_end) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_lsu_list_t *list;
  char name[STS_MAX_LSUNAME], expected[STS_MAX_LSUNAME];
  engine_start(&engine, play_lsus, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_open_lsu_list(server, &list), STS_EOK);
  CHECK_STATUS(stsp_list_lsu(list, NULL), STS_EINVAL);
  for (unsigned i = 0; i < WIRE_LSU_PAGE_MAX + 1; i++) {
    snprintf(expected, sizeof expected, "lsu-%u", i);
    CHECK_STATUS(stsp_list_lsu(list, name), STS_EOK);
    CHECK(strcmp(name, expected) == 0);
  }
  CHECK_STATUS(stsp_list_lsu(list, name), STS_ENOENT);
  CHECK_STATUS(stsp_list_lsu(list, name), STS_ENOENT); /* without a frame */
  CHECK_STATUS(stsp_list_image((sts_image_list_t *)list, NULL), STS_EINVAL);
  CHECK_STATUS(stsp_close_lsu_list(list), STS_EOK);
  CHECK_STATUS(stsp_close_lsu_list(list), STS_EINVAL);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

struct wrong_lsus {
  uint32_t count;
  size_t bytes;
};

static void play_wrong_lsus(struct engine *engine) {
  const struct wrong_lsus *wrong = engine->argument;
  static struct {
    struct wire_lsu_page head;
    char names[2][WIRE_LSU_MAX];
  } page = {{0, 0}, {"lsu"}};
  int server = fake_hello(engine);
  struct wire_list_opened opened = {77, 0};
  (void)fake_expect(server, WIRE_LSU_LIST_OPEN);
  fake_reply(server, WIRE_OK, "", &opened, sizeof opened);
  (void)fake_expect(server, WIRE_LSU_LIST_NEXT);
  page.head.count = wrong->count;
  fake_reply(server, WIRE_OK, "", &page, sizeof page.head + wrong->bytes);
  fake_expect_end(server);
}

TEST(a_page_of_lsus_that_is_cut_or_goes_on_is_refused) {
  static struct wrong_lsus wrongs[] = {
      {2, 8}, {2, WIRE_LSU_MAX - 1}, {1, WIRE_LSU_MAX + 1}, {1, 2 * WIRE_LSU_MAX}};
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    struct engine engine;
    sts_session_t session = new_session();
    sts_lsu_list_t *list;
    char name[STS_MAX_LSUNAME];
    engine_start(&engine, play_wrong_lsus, &wrongs[i]);
    sts_server_t *server = open_server(&session);
    CHECK_STATUS(stsp_open_lsu_list(server, &list), STS_EOK);
    CHECK_STATUS(stsp_list_lsu(list, name), STS_EINTERNAL);
    CHECK_STATUS(stsp_close_lsu_list(list), STS_EINTERNAL);
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
  }
}

static void fill_def(struct wire_image_def *def, unsigned number) {
  memset(def, 0, sizeof *def);
  snprintf(def->basename, sizeof def->basename, "client_%u_C1_F1", number);
  def->date = 1000 + number;
  snprintf(def->policy, sizeof def->policy, "policy %u", number);
  def->opaque_length = WIRE_OPAQUE_MAX;
  memset(def->opaque, (int)number, sizeof def->opaque);
}

/* A page of definitions as it travels. */
static struct {
  struct wire_image_page head;
  unsigned char bytes[WIRE_LIST_PAGE_BYTES + 8];
} image_page;
static size_t image_page_used;

static void add_string(const char *text, size_t length) {
  memcpy(image_page.bytes + image_page_used, text, length);
  image_page_used += length;
}

static struct wire_listed listed_head(const struct wire_image_def *def) {
  return (struct wire_listed){.date = def->date,
                              .basename_length = (uint16_t)strlen(def->basename),
                              .opaque_length = (uint16_t)def->opaque_length,
                              .policy_length = (uint8_t)strlen(def->policy),
                              .schedule_length = (uint8_t)strlen(def->schedule),
                              .client_length = (uint8_t)strlen(def->client)};
}

/* `head` may lie about what follows. */
static void add_listed(const struct wire_image_def *def, struct wire_listed head) {
  add_string((const char *)&head, sizeof head);
  add_string(def->basename, strlen(def->basename));
  add_string(def->policy, strlen(def->policy));
  add_string(def->schedule, strlen(def->schedule));
  add_string(def->client, strlen(def->client));
  add_string((const char *)def->opaque, def->opaque_length);
  image_page_used = (image_page_used + 7) & ~(size_t)7;
  image_page.head.count++;
}

static void clear_page(void) {
  memset(&image_page, 0, sizeof image_page);
  image_page_used = 0;
}

static void reply_page(int server) {
  fake_reply(server, WIRE_OK, "", &image_page, sizeof image_page.head + image_page_used);
}

#define LISTED 20u

static void play_images(struct engine *engine) {
  int server = fake_hello(engine);
  struct wire_list_opened opened = {3, 1};
  const struct wire_image_list_open *open = fake_expect(server, WIRE_IMAGE_LIST_OPEN);
  CHECK_NUM(open->states, WIRE_LIST_PENDING);
  CHECK_NUM(open->packed, 1);
  CHECK(strcmp(open->lsu, "lsu") == 0);
  fake_reply(server, WIRE_OK, "", &opened, sizeof opened);
  (void)fake_expect(server, WIRE_IMAGE_LIST_NEXT);
  clear_page();
  for (unsigned i = 0; i < LISTED; i++) {
    struct wire_image_def def;
    fill_def(&def, i);
    struct wire_listed head = listed_head(&def);
    if (i + 1 == LISTED) head.opaque_length = WIRE_OPAQUE_MAX + 1;
    add_listed(&def, head);
  }
  reply_page(server);
  fake_expect_end(server); /* the last definition cannot be right */
}

TEST(image_definitions_come_back_whole_and_are_checked) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_list_t *list;
  sts_image_def_t def;
  struct wire_image_def expected;
  engine_start(&engine, play_images, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_open_image_list(server, "lsu", STS_LIST_PENDING, &list), STS_EOK);
  for (unsigned i = 0; i + 1 < LISTED; i++) {
    fill_def(&expected, i);
    CHECK_STATUS(stsp_list_image(list, &def), STS_EOK);
    CHECK(strcmp(def.img_basename, expected.basename) == 0 && strcmp(def.img_policy, expected.policy) == 0);
    CHECK_NUM(def.img_date, expected.date);
    CHECK_NUM(def.img_opaque_length, WIRE_OPAQUE_MAX);
    CHECK(memcmp(def.img_opaque, expected.opaque, WIRE_OPAQUE_MAX) == 0);
  }
  CHECK_STATUS(stsp_list_image(list, &def), STS_EINTERNAL);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  CHECK_STATUS(stsp_list_image(list, &def), STS_EINVAL);
  CHECK_TEXT("closed before");
  CHECK_STATUS(stsp_close_image_list(list), STS_EOK); /* it went with its server */
  engine_join(&engine);
}

static void play_whole_images(struct engine *engine) {
  static struct {
    struct wire_image_page head;
    struct wire_image_def defs[WIRE_LIST_WHOLE_MAX];
  } page;
  int server = fake_hello(engine);
  struct wire_list_opened opened = {3, 0};
  (void)fake_expect(server, WIRE_IMAGE_LIST_OPEN);
  fake_reply(server, WIRE_OK, "", &opened, sizeof opened);
  page.head.count = WIRE_LIST_WHOLE_MAX;
  for (unsigned i = 0; i < WIRE_LIST_WHOLE_MAX; i++) fill_def(&page.defs[i], i);
  (void)fake_expect(server, WIRE_IMAGE_LIST_NEXT);
  fake_reply(server, WIRE_OK, "", &page, sizeof page);
  page.defs[WIRE_LIST_WHOLE_MAX - 1].opaque_length = WIRE_OPAQUE_MAX + 1;
  (void)fake_expect(server, WIRE_IMAGE_LIST_NEXT);
  fake_reply(server, WIRE_OK, "", &page, sizeof page);
  fake_expect_end(server);
}

TEST(an_older_engine_sends_whole_definitions) {
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_list_t *list;
  sts_image_def_t def;
  engine_start(&engine, play_whole_images, NULL);
  sts_server_t *server = open_server(&session);
  CHECK_STATUS(stsp_open_image_list(server, "lsu", 0, &list), STS_EOK);
  for (unsigned i = 0; i < 2 * WIRE_LIST_WHOLE_MAX - 1; i++) {
    CHECK_STATUS(stsp_list_image(list, &def), STS_EOK);
    CHECK_NUM(def.img_date, 1000 + i % WIRE_LIST_WHOLE_MAX);
  }
  CHECK_STATUS(stsp_list_image(list, &def), STS_EINTERNAL);
  CHECK_STATUS(stsp_close_image_list(list), STS_EINTERNAL);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}

static void short_def(struct wire_image_def *def) {
  memset(def, 0, sizeof *def);
  memcpy(def->basename, "image", sizeof "image");
  memcpy(def->policy, "policy", sizeof "policy");
  def->opaque_length = 3;
}

/* Each makes a page of one definition into something that it cannot be. */
static void wrong_count(struct wire_listed *head) {
  (void)head;
  image_page.head.count = WIRE_LIST_PAGE_MAX + 1;
}
static void wrong_end(struct wire_listed *head) {
  (void)head;
  image_page.head.count = 0;
}
static void no_name(struct wire_listed *head) { head->basename_length = 0; }
/* The page has all that the entry says: only the field is too short for it. */
static void whole_entry(const struct wire_listed *head) {
  image_page_used = (sizeof *head + head->basename_length + head->policy_length + head->schedule_length +
                     head->client_length + head->opaque_length + 7) & ~(size_t)7;
}
static void long_name(struct wire_listed *head) {
  head->basename_length = WIRE_BASENAME_MAX;
  whole_entry(head);
}
static void long_opaque(struct wire_listed *head) {
  head->opaque_length = WIRE_OPAQUE_MAX + 1;
  whole_entry(head);
}
/* Another one seems to follow: that the page ends elsewhere is no help. */
static void cut_short(struct wire_listed *head) {
  head->client_length = 255;
  image_page.head.count = 2;
}
static void goes_on(struct wire_listed *head) {
  (void)head;
  image_page_used += 8;
}
static void cut_head(struct wire_listed *head) {
  (void)head;
  image_page_used = sizeof *head - 1;
}
static void too_long(struct wire_listed *head) {
  (void)head;
  image_page_used = sizeof image_page.bytes;
}

static void play_wrong_page(struct engine *engine) {
  void (*wrong)(struct wire_listed *head) = *(void (**)(struct wire_listed *))engine->argument;
  int server = fake_hello(engine);
  struct wire_list_opened opened = {3, 1};
  (void)fake_expect(server, WIRE_IMAGE_LIST_OPEN);
  fake_reply(server, WIRE_OK, "", &opened, sizeof opened);
  (void)fake_expect(server, WIRE_IMAGE_LIST_NEXT);
  struct wire_image_def def;
  short_def(&def);
  clear_page();
  struct wire_listed head = listed_head(&def);
  add_listed(&def, head);
  wrong(&head);
  memcpy(image_page.bytes, &head, sizeof head);
  reply_page(server);
  fake_expect_end(server);
}

TEST(a_page_that_is_too_big_or_not_what_it_says_is_refused) {
  static void (*const wrongs[])(struct wire_listed *) = {wrong_count, wrong_end, no_name,  long_name, long_opaque,
                                                         cut_short,   goes_on,   cut_head, too_long};
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    void (*wrong)(struct wire_listed *) = wrongs[i];
    struct engine engine;
    sts_session_t session = new_session();
    sts_image_list_t *list;
    sts_image_def_t def;
    engine_start(&engine, play_wrong_page, &wrong);
    sts_server_t *server = open_server(&session);
    CHECK_STATUS(stsp_open_image_list(server, "lsu", 0, &list), STS_EOK);
    CHECK_STATUS(stsp_list_image(list, &def), STS_EINTERNAL);
    CHECK_STATUS(stsp_close_image_list(list), STS_EINTERNAL);
    CHECK_STATUS(stsp_close_server(server), STS_EOK);
    engine_join(&engine);
  }
}

/* ---- properties, metadata ------------------------------------------------------------------------------------------------ */

static void play_properties(struct engine *engine) {
  static unsigned char all[WIRE_METADATA_MAX];
  static struct {
    struct wire_metadata_read head;
    unsigned char bytes[WIRE_METADATA_MAX];
  } read = {{WIRE_METADATA_MAX, WIRE_METADATA_MAX}, {0}};
  struct wire_image_info info = {.size = 1, .durable_size = 2, .physical_bytes = 3, .state = WIRE_II_PENDING,
                                 .fragments = 4, .metadata_length = 5, .checksum = "sha256:00"};
  struct wire_copied copied = {9, WIRE_COPY_RANGE, 0};
  struct wire_server_info about = {.capabilities = 7, .block_bytes = 512, .mounted = 1, .server = "VastData:test",
                                   .engine_version = "0.1.0", .store = "memory"};
  int server = fake_hello(engine);
  int fd = fake_image(engine, WIRE_IMAGE_CREATE, 0);
  fill_def(&info.def, 6);
  info.image_id[15] = 8;
  const struct wire_metadata *write = fake_expect(fd, WIRE_METADATA_WRITE);
  CHECK_NUM(write->header.length, sizeof *write + WIRE_METADATA_MAX);
  CHECK_NUM(write->length, WIRE_METADATA_MAX);
  pattern(all, sizeof all, 0, 3);
  CHECK(memcmp(write + 1, all, sizeof all) == 0);
  fake_reply(fd, WIRE_OK, "", NULL, 0);
  (void)fake_expect(fd, WIRE_METADATA_READ);
  memcpy(read.bytes, all, sizeof all);
  fake_reply(fd, WIRE_OK, "", &read, sizeof read);
  (void)fake_expect(fd, WIRE_IMAGE_PROP);
  fake_reply(fd, WIRE_OK, "", &info, sizeof info);
  fake_closed(fd, 0);
  const struct wire_image_byname *byname = fake_expect(server, WIRE_IMAGE_PROP_BYNAME);
  CHECK(strcmp(byname->def.basename, "x") == 0 && byname->def.date == 1279020655);
  fake_reply(server, WIRE_OK, "", &info, sizeof info);
  const struct wire_image_copy *copy = fake_expect(server, WIRE_IMAGE_COPY);
  CHECK(strcmp(copy->to_lsu, "to") == 0 && strcmp(copy->from_lsu, "from") == 0);
  CHECK(strcmp(copy->to.basename, "y") == 0 && strcmp(copy->from.basename, "x") == 0);
  CHECK(memcmp(copy->token, (const uint8_t[WIRE_TOKEN_BYTES]){0}, WIRE_TOKEN_BYTES) != 0);
  fake_reply(server, WIRE_OK, "", &copied, sizeof copied);
  (void)fake_expect(server, WIRE_SERVER_PROP);
  fake_reply(server, WIRE_OK, "", &about, sizeof about);
  fake_expect_end(server);
}

static void check_info(const sts_image_info_t *info) {
  CHECK(info->imo_size == 1 && info->imo_durable == 2 && info->imo_phys == 3 && info->imo_fragments == 4);
  CHECK(info->imo_status == STS_II_IMAGE_PENDING && info->imo_metadata_length == 5 && info->imo_id[15] == 8);
  CHECK(strcmp(info->imo_checksum, "sha256:00") == 0 && strcmp(info->imo_def.img_basename, "client_6_C1_F1") == 0);
}

TEST(properties_and_metadata_come_back_as_they_are) {
  static unsigned char bytes[STS_MAX_METADATA], back[STS_MAX_METADATA];
  struct engine engine;
  sts_session_t session = new_session();
  sts_image_info_t info;
  sts_server_info_t about;
  sts_image_def_t from = def_named("x"), to = def_named("y");
  sts_uint32_t done;
  engine_start(&engine, play_properties, NULL);
  sts_server_t *server = open_server(&session);
  sts_image_t *image = create_image(&session, server, "x");
  pattern(bytes, sizeof bytes, 0, 3);
  CHECK_STATUS(stsp_write_image_meta(image, bytes, sizeof bytes, 0, &done), STS_EOK);
  CHECK_NUM(done, sizeof bytes);
  CHECK_STATUS(stsp_read_image_meta(image, back, sizeof back, 0, &done), STS_EOK);
  CHECK_NUM(done, sizeof back);
  CHECK(memcmp(bytes, back, sizeof bytes) == 0);
  CHECK_STATUS(stsp_get_image_prop(image, &info), STS_EOK);
  check_info(&info);
  CHECK_STATUS(stsp_close_image(image, 0), STS_EOK);
  CHECK_STATUS(stsp_get_image_prop_byname(server, "lsu", &from, &info), STS_EOK);
  check_info(&info);
  CHECK_STATUS(stsp_copy_image(server, "to", &to, "from", &from, &done), STS_EOK);
  CHECK_NUM(done, STS_COPY_RANGE);
  CHECK_STATUS(stsp_get_server_prop(server, &about), STS_EOK);
  CHECK(about.capabilities == 7 && about.block_size == 512 && about.mounted == 1);
  CHECK(strcmp(about.engine_version, "0.1.0") == 0 && strcmp(about.store, "memory") == 0);
  CHECK_STATUS(stsp_close_server(server), STS_EOK);
  engine_join(&engine);
}
