/* lists.c: lists come in pages; the plug-in keeps one page and asks for the next when it is used up. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "log.h"
#include "server.h"

static const size_t lsu_page_bytes = (size_t)WIRE_LSU_PAGE_MAX * WIRE_LSU_MAX;

static int opened(struct stsp__server *server, const void *handle, size_t page_bytes, const struct stsp__reply *reply,
                  struct stsp__list **out) {
  struct stsp__list *list = calloc(1, sizeof *list + page_bytes);
  const struct wire_list_opened *body = reply->body;
  uint32_t id = body->list;
  bool packed = body->packed != 0;
  if (!list) {
    struct wire_list frame = {.list = id};
    (void)stsp__link_call(server->link, WIRE_LIST_CLOSE, &frame, sizeof frame, NULL, 0, 0, false, NULL);
    return stsp__fail(server->link->session, STS_ENOMEM, "out of memory for a list");
  }
  list->server = handle;
  list->session = server->link->session;
  list->pid = server->link->pid;
  list->id = id;
  list->packed = packed;
  *out = list;
  return STS_EOK;
}

int stsp__lsu_list_open(struct stsp__server *server, const void *handle, struct stsp__list **list) {
  struct wire_header frame;
  struct stsp__reply reply;
  server->link->action = "the listing";
  stsp__printable(server->link->subject, sizeof server->link->subject, "the LSUs");
  int status = stsp__link_call(server->link, WIRE_LSU_LIST_OPEN, &frame, sizeof frame, NULL, 0,
                               sizeof(struct wire_list_opened), false, &reply);
  if (status != STS_EOK) return status;
  return opened(server, handle, lsu_page_bytes, &reply, list);
}

int stsp__image_list_open(struct stsp__server *server, const void *handle, const char *lsu, uint32_t states,
                          struct stsp__list **list) {
  struct wire_image_list_open frame;
  struct stsp__reply reply;
  memset(&frame, 0, sizeof frame);
  if (states & ~(STS_LIST_COMPLETE | STS_LIST_PENDING))
    return stsp__fail(server->link->session, STS_EINVAL, "unknown bits in the states to list: 0x%x", (unsigned)states);
  int status = stsp__check_name(server->link->session, "the LSU's name", lsu, frame.lsu, sizeof frame.lsu);
  if (status != STS_EOK) return status;
  frame.states = states;
  frame.packed = 1;
  server->link->action = "the listing";
  stsp__printable(server->link->subject, sizeof server->link->subject, frame.lsu);
  status = stsp__link_call(server->link, WIRE_IMAGE_LIST_OPEN, &frame, sizeof frame, NULL, 0,
                           sizeof(struct wire_list_opened), false, &reply);
  if (status != STS_EOK) return status;
  return opened(server, handle, WIRE_LIST_PAGE_BYTES, &reply, list);
}

/* Makes sure that an entry is there; of a new page only that it fits is judged. STS_ENOENT: the end. */
static int want_entry(struct stsp__server *server, struct stsp__list *list, uint16_t type, uint32_t entries_max,
                      size_t bytes_max) {
  if (list->next < list->count) return STS_EOK;
  if (!list->ended) {
    struct wire_list frame = {.list = list->id};
    struct stsp__reply reply;
    server->link->action = "the listing";
    int status = stsp__link_call(server->link, type, &frame, sizeof frame, NULL, 0, sizeof(struct wire_image_page), true,
                                 &reply);
    if (status != STS_EOK) return status;
    const struct wire_image_page *page = reply.body;
    size_t bytes = reply.body_length - sizeof *page;
    if (page->count > entries_max || bytes > bytes_max || (page->count == 0) != (bytes == 0))
      return stsp__link_broken(server->link, "a page of a list");
    memcpy(list->page, page + 1, bytes);
    list->bytes = bytes;
    list->at = 0;
    list->count = page->count;
    list->next = 0;
    list->ended = page->count == 0;
  }
  return list->ended ? stsp__tell(list->session, STS_ENOENT, "the end of the list") : STS_EOK;
}

/* The entry was given out. The last one must be the page's end too. */
static int given(struct stsp__server *server, struct stsp__list *list, size_t bytes) {
  list->at += bytes;
  list->next++;
  if (list->next == list->count && list->at != list->bytes) return stsp__link_broken(server->link, "a page of a list");
  return STS_EOK;
}

int stsp__lsu_list_next(struct stsp__server *server, struct stsp__list *list, char name[STS_MAX_LSUNAME]) {
  int status = want_entry(server, list, WIRE_LSU_LIST_NEXT, WIRE_LSU_PAGE_MAX, lsu_page_bytes);
  if (status != STS_EOK) return status;
  const char *entry = (const char *)list->page + list->at;
  if (list->bytes - list->at < WIRE_LSU_MAX || !stsp__terminated(entry, WIRE_LSU_MAX))
    return stsp__link_broken(server->link, "an LSU's name");
  memcpy(name, entry, WIRE_LSU_MAX);
  return given(server, list, WIRE_LSU_MAX);
}

/* Bytes that the next definition takes; 0: it cannot be right. */
static size_t take_def(const struct stsp__list *list, sts_image_def_t *def) {
  size_t left = list->bytes - list->at;
  if (list->packed) return stsp__def_from_list(list->page + list->at, left, def);
  struct wire_image_def entry;
  if (left < sizeof entry) return 0;
  memcpy(&entry, list->page + list->at, sizeof entry);
  return stsp__def_from_wire(&entry, def) ? sizeof entry : 0;
}

int stsp__image_list_next(struct stsp__server *server, struct stsp__list *list, sts_image_def_t *def) {
  int status = want_entry(server, list, WIRE_IMAGE_LIST_NEXT, WIRE_LIST_PAGE_MAX, WIRE_LIST_PAGE_BYTES);
  if (status != STS_EOK) return status;
  size_t bytes = take_def(list, def);
  if (bytes == 0) return stsp__link_broken(server->link, "an image definition");
  return given(server, list, bytes);
}

int stsp__list_close(struct stsp__server *server, struct stsp__list *list) {
  int status = STS_EOK;
  if (server) {
    struct wire_list frame = {.list = list->id};
    server->link->action = "the end of a listing";
    status = stsp__link_call(server->link, WIRE_LIST_CLOSE, &frame, sizeof frame, NULL, 0, 0, false, NULL);
  }
  free(list);
  return status;
}
