/*
 * The storage shim: stands between the engine process and libc for every call on the storage root, counts, logs and
 * does what its rules say. Preloaded by tests only. shim.ts is its other end; the layout of the control file is here.
 *
 * Environment:
 *   LD_PRELOAD         build/libvast_shim.so
 *   VAST_SHIM_ROOT     storage root; calls on paths and descriptors below it are seen, no others
 *   VAST_SHIM_ALIASES  optional: names of links to the root, beside it, separated by ':'. What is reached through one of
 *                      them is seen as `<name>:<path below the root>`: several mounts of one tree, without rights to mount
 *   VAST_SHIM_CONTROL  control file (struct control), made by the test before the start
 *   VAST_SHIM_LOG      optional: text log, one line at the beginning and one at the end of each call
 *   VAST_SHIM_DATA     optional, with a log: receives all bytes that are written, for the power-loss checker
 *   VAST_SHIM_ARGV     optional: only a process whose command line contains this text is the engine
 *
 * The first process that starts with a control file whose `pid` is 0 is the engine; all others, forked children too,
 * pass straight through.
 */
#ifndef VAST_SHIM_H
#define VAST_SHIM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { rule_max = 16, names_max = 128, glob_max = 256 };

enum action {
  act_none = 0,
  act_kill_before = 1, /* SIGKILL to itself, the call not made */
  act_kill_after = 2,  /* the call made and logged, its result never seen */
  act_fail = 3,        /* not made; answers −1 with errno = argument */
  act_short = 4,       /* read, write or copy of at most `argument` bytes */
  act_hang = 5,        /* held before the call until released; then made, or fails with argument where that is > 0 */
  act_hang_after = 6,  /* held after the call */
  act_drop = 7,        /* not made; answers 0: a sync that lies */
};

/* 512 bytes. Written by the test with armed = 0, then armed = 1; the counters are the shim's. */
struct rule {
  uint64_t armed;
  uint64_t action;
  uint64_t from;     /* first match acted on, from 1, counted since the counters were set to 0 */
  uint64_t count;    /* matches acted on; 0: all from there on */
  uint64_t argument; /* errno or bytes */
  uint64_t matched;
  uint64_t acted;
  uint64_t holding; /* threads held now */
  uint64_t release; /* ≠ 0: held threads go on, new ones are not held */
  uint64_t reserved[7];
  char names[names_max]; /* "write,fsync"; "@change", "@sync", "@name", "@read" for kinds; empty: all counted ones */
  char path[glob_max];   /* fnmatch pattern, '*' takes '/' too, on the path below the root, either of two; empty: all */
};

/* 512 bytes, then the rules. */
struct control {
  char magic[8];     /* "VASTSHM1" */
  uint64_t pid;      /* the engine's; 0 until it started */
  uint64_t calls;    /* calls counted; close is none */
  uint64_t data_end; /* bytes in the data file */
  uint64_t killed;   /* number of the call at which act_kill_* struck */
  uint64_t reserved[59];
  struct rule rules[rule_max];
};

_Static_assert(sizeof(struct rule) == 512, "shim.ts writes rules at multiples of 512");
_Static_assert(offsetof(struct control, rules) == 512, "shim.ts writes the first rule at 512");

/* What a call does; a rule may ask for it with @. */
enum kind { kind_name = 1, kind_data = 2, kind_sync = 4, kind_read = 8, kind_uncounted = 16 };

struct call {
  const char *name;
  int kind;
  int fd;           /* descriptor, or directory of `path` */
  int fd2;          /* directory of `path2`; source of a copy */
  const char *path; /* NULL: the descriptor itself */
  const char *path2;
  int64_t offset;
  uint64_t length;
  int flags;
  const void *bytes; /* of a write */
  int64_t result;    /* −errno where it failed */
  uint64_t inode;    /* of the descriptor before, or of what open and mkdir made */
  bool created;
  /* shim_core.c only */
  uint64_t index;
  int64_t data_at;
  int acting;
  struct rule *rule;
  bool locked;
  char full[PATH_MAX + NAME_MAX];
  char full2[PATH_MAX + NAME_MAX];
};

/** A system call without libc: −errno where it failed. */
int64_t raw(long number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f);

/** Is this descriptor (or path) on the storage root, and this process the engine? */
bool shim_sees(int fd);
bool shim_sees_path(int dir, const char *path);
/** By which way this is reached: 0 not on the root, 1 by its own name, more by an alias. */
uint8_t shim_way(int dir, const char *path);
void shim_track(int fd, uint8_t way);

/** Counts, logs and decides. True: make the call and put its result into `result`; false: `result` is decided. */
bool shim_enter(struct call *call);
/** Logs the end. Returns what libc would, with errno set. */
int64_t shim_leave(struct call *call);

/** Inode number of a name, or of the descriptor itself with path "". 0 where there is none. */
uint64_t shim_inode(int fd, const char *path);
/** Inodes and bytes are logged too: the shim then makes calls of its own on the storage. */
bool shim_keeps_data(void);

/** libc's convention from the kernel's. */
int64_t shim_result(int64_t result);

#endif
