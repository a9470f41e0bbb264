/* server.h: one server handle: a connection that carries control calls, and the lists open on it. */
#ifndef STSP_SERVER_H
#define STSP_SERVER_H

#include "engine-link.h"

struct stsp__server {
  struct stsp__link *link;
  struct stsp__config config; /* as it was when the server was opened: image handles connect with it */
  char name[STS_MAX_STSNAME];
};

struct stsp__list {
  const void *server; /* handle: the server may be closed before its list */
  sts_session_t *session;
  pid_t pid;
  uint32_t id;
  uint32_t count; /* entries of the page here */
  uint32_t next;  /* of them, the one to give out */
  bool ended;
  bool packed;    /* definitions come as short as they are */
  size_t at;      /* bytes of the page before that entry */
  size_t bytes;   /* of the page here */
  unsigned char page[]; /* WIRE_LSU_PAGE_MAX names, or WIRE_LIST_PAGE_BYTES of definitions */
};

bool stsp__random(void *bytes, size_t length); /* image.c */

int stsp__server_open(sts_session_t *session, const char *name, struct stsp__server **server);
void stsp__server_close(struct stsp__server *server);
int stsp__server_prop(struct stsp__server *server, sts_server_info_t *info);
int stsp__lsu_prop(struct stsp__server *server, const char *lsu, sts_lsu_info_t *info);
int stsp__lsu_create(struct stsp__server *server, const char *lsu);
int stsp__lsu_label(struct stsp__server *server, const char *lsu, const char *label);
int stsp__image_prop_byname(struct stsp__server *server, const char *lsu, const sts_image_def_t *def,
                            sts_image_info_t *info);
int stsp__image_delete(struct stsp__server *server, const char *lsu, const sts_image_def_t *def);
int stsp__image_copy(struct stsp__server *server, const char *to_lsu, const sts_image_def_t *to, const char *from_lsu,
                     const sts_image_def_t *from, uint32_t *method);

/* lists.c; `handle` is the server's, kept to find it again. */
int stsp__lsu_list_open(struct stsp__server *server, const void *handle, struct stsp__list **list);
int stsp__image_list_open(struct stsp__server *server, const void *handle, const char *lsu, uint32_t states,
                          struct stsp__list **list);
int stsp__lsu_list_next(struct stsp__server *server, struct stsp__list *list, char name[STS_MAX_LSUNAME]);
int stsp__image_list_next(struct stsp__server *server, struct stsp__list *list, sts_image_def_t *def);
/* Frees the list, whatever it returns. `server` NULL: it was closed before, and its lists with it. */
int stsp__list_close(struct stsp__server *server, struct stsp__list *list);

#endif
