/* shim_core.c: control file, rules and log. Uses raw system calls, so that it never meets itself. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { tracked_max = 1 << 16, aliases_max = 16, line_max = 3 * (2 * (PATH_MAX + NAME_MAX)) + 512 };

static struct control *control;
static bool engine;
static char root[PATH_MAX];
static size_t root_length;
/* Links beside the root, by their paths. */
static char aliases[aliases_max][PATH_MAX];
static int alias_count;
static int log_fd = -1;
static int data_fd = -1;
/* The way by which each descriptor was reached (shim_way). */
static uint8_t tracked[tracked_max];
/* Changes of names happen one at a time while data is logged: their order in the log is the order they happened in. */
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t raw4(long number, int64_t a, int64_t b, int64_t c, int64_t d) { return raw(number, a, b, c, d, 0, 0); }

static void forget_in_child(void) { engine = false; }

static void complain(const char *what, const char *path) {
  fprintf(stderr, "storage shim: %s %s: %s\n", what, path, strerror(errno));
  abort();
}

static int open_output(const char *variable, int flags) {
  const char *path = getenv(variable);
  if (path == NULL || *path == 0) return -1;
  const int64_t fd = raw4(SYS_openat, AT_FDCWD, (intptr_t)path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0) {
    errno = (int)-fd;
    complain("cannot open", path);
  }
  return (int)fd;
}

/** Does this process's command line contain the text that was asked for? */
static bool is_engine_command(void) {
  const char *wanted = getenv("VAST_SHIM_ARGV");
  if (wanted == NULL || *wanted == 0) return true;
  static char line[16384];
  const int64_t fd = raw4(SYS_openat, AT_FDCWD, (intptr_t) "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  const int64_t got = raw4(SYS_read, fd, (intptr_t)line, sizeof line - 1, 0);
  (void)raw4(SYS_close, fd, 0, 0, 0);
  return got > 0 && memmem(line, (size_t)got, wanted, strlen(wanted)) != NULL;
}

/** The root's own directory has the links. */
static void read_aliases(void) {
  static char names[PATH_MAX];
  const char *given = getenv("VAST_SHIM_ALIASES");
  if (given == NULL) return;
  snprintf(names, sizeof names, "%s", given);
  const int above = (int)(strrchr(root, '/') - root);
  char *rest = NULL;
  for (char *name = strtok_r(names, ":", &rest); name != NULL; name = strtok_r(NULL, ":", &rest)) {
    if (alias_count == aliases_max) complain("too many aliases", given);
    const int length = snprintf(aliases[alias_count], PATH_MAX, "%.*s/%s", above, root, name);
    if (length <= 0 || length >= PATH_MAX) complain("too long an alias", name);
    alias_count++;
  }
}

__attribute__((constructor)) static void start(void) {
  const char *where = getenv("VAST_SHIM_ROOT");
  const char *path = getenv("VAST_SHIM_CONTROL");
  if (where == NULL || path == NULL || !is_engine_command()) return;
  if (realpath(where, root) == NULL) complain("no storage root", where);
  root_length = strlen(root);
  read_aliases();
  const int64_t fd = raw4(SYS_openat, AT_FDCWD, (intptr_t)path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) {
    errno = (int)-fd;
    complain("cannot open", path);
  }
  void *memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
  if (memory == MAP_FAILED) complain("cannot map", path);
  (void)raw4(SYS_close, fd, 0, 0, 0);
  struct control *mapped = memory;
  uint64_t nobody = 0;
  const uint64_t self = (uint64_t)getpid();
  if (memcmp(mapped->magic, "VASTSHM1", 8) != 0) complain("no control file", path);
  if (!__atomic_compare_exchange_n(&mapped->pid, &nobody, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  control = mapped;
  log_fd = open_output("VAST_SHIM_LOG", O_APPEND);
  data_fd = log_fd < 0 ? -1 : open_output("VAST_SHIM_DATA", 0);
  pthread_atfork(NULL, NULL, forget_in_child);
  engine = true;
}

int64_t shim_result(int64_t result) {
  if (result >= 0) return result;
  errno = (int)-result;
  return -1;
}

bool shim_sees(int fd) {
  return engine && fd >= 0 && fd < tracked_max && __atomic_load_n(&tracked[fd], __ATOMIC_RELAXED) != 0;
}

void shim_track(int fd, uint8_t way) {
  if (!engine || fd < 0) return;
  if (fd >= tracked_max) {
    if (way != 0) complain("too many descriptors", root);
    return;
  }
  __atomic_store_n(&tracked[fd], way, __ATOMIC_RELAXED);
}

static bool is_below(const char *path, const char *top, size_t length) {
  return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static uint8_t way_of(int dir, const char *path) {
  if (path == NULL || path[0] != '/') {
    return dir >= 0 && dir < tracked_max ? __atomic_load_n(&tracked[dir], __ATOMIC_RELAXED) : 0;
  }
  if (is_below(path, root, root_length)) return 1;
  for (int i = 0; i < alias_count; i++) {
    if (is_below(path, aliases[i], strlen(aliases[i]))) return (uint8_t)(2 + i);
  }
  return 0;
}

uint8_t shim_way(int dir, const char *path) { return engine ? way_of(dir, path) : 0; }

bool shim_sees_path(int dir, const char *path) { return path != NULL && shim_way(dir, path) != 0; }

/** The path below the root, as it is at this moment; "." for the root. */
static void full_path(char *out, size_t size, int dir, const char *path) {
  char base[PATH_MAX];
  base[0] = 0;
  if (path == NULL || path[0] != '/') {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    const int64_t got = raw4(SYS_readlinkat, AT_FDCWD, (intptr_t)link, (intptr_t)base, sizeof base - 1);
    base[got > 0 ? got : 0] = 0;
  }
  const char *first = path != NULL && path[0] == '/' ? path : base;
  const char *below = strncmp(first, root, root_length) == 0 ? first + root_length : first;
  const uint8_t way = way_of(dir, path);
  if (way > 1) {
    const char *alias = aliases[way - 2];
    const int length = snprintf(out, size, "%s:", strrchr(alias, '/') + 1);
    if (path != NULL && path[0] == '/') below = path + strlen(alias);
    out += length;
    size -= (size_t)length;
  }
  while (*below == '/') below++;
  if (path == NULL || path[0] == '/' || *path == 0) snprintf(out, size, "%s", *below != 0 ? below : ".");
  else if (strcmp(path, ".") == 0) snprintf(out, size, "%s", *below != 0 ? below : ".");
  else snprintf(out, size, "%s%s%s", below, *below != 0 ? "/" : "", path);
}

static bool names_match(const struct rule *rule, const struct call *call) {
  if (rule->names[0] == 0) return (call->kind & kind_uncounted) == 0;
  char names[names_max];
  memcpy(names, rule->names, sizeof names);
  names[names_max - 1] = 0;
  char *rest = NULL;
  for (char *name = strtok_r(names, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
    if (strcmp(name, call->name) == 0) return true;
    if (strcmp(name, "@change") == 0 && (call->kind & (kind_name | kind_data | kind_sync)) != 0) return true;
    if (strcmp(name, "@name") == 0 && (call->kind & kind_name) != 0) return true;
    if (strcmp(name, "@sync") == 0 && (call->kind & kind_sync) != 0) return true;
    if (strcmp(name, "@read") == 0 && (call->kind & kind_read) != 0) return true;
  }
  return false;
}

static bool path_matches(const struct rule *rule, const struct call *call) {
  if (rule->path[0] == 0) return true;
  char glob[glob_max];
  memcpy(glob, rule->path, sizeof glob);
  glob[glob_max - 1] = 0;
  return fnmatch(glob, call->full, 0) == 0 || (call->path2 != NULL && fnmatch(glob, call->full2, 0) == 0);
}

static bool is_armed(const struct rule *rule) { return __atomic_load_n(&rule->armed, __ATOMIC_ACQUIRE) != 0; }

static bool wants_paths(void) {
  if (log_fd >= 0) return true;
  for (int i = 0; i < rule_max; i++) {
    if (is_armed(&control->rules[i]) && control->rules[i].path[0] != 0) return true;
  }
  return false;
}

/** Every rule counts its matches; the first one whose turn it is acts. */
static void decide(struct call *call) {
  for (int i = 0; i < rule_max; i++) {
    struct rule *rule = &control->rules[i];
    if (!is_armed(rule) || !names_match(rule, call) || !path_matches(rule, call)) continue;
    const uint64_t match = __atomic_add_fetch(&rule->matched, 1, __ATOMIC_SEQ_CST);
    const bool due = match >= rule->from && (rule->count == 0 || match < rule->from + rule->count);
    if (!due || call->rule != NULL) continue;
    call->rule = rule;
    call->acting = (int)rule->action;
    __atomic_add_fetch(&rule->acted, 1, __ATOMIC_SEQ_CST);
  }
}

static void hold(struct rule *rule) {
  const struct timespec pause = {0, 1000000};
  __atomic_add_fetch(&rule->holding, 1, __ATOMIC_SEQ_CST);
  while (is_armed(rule) && __atomic_load_n(&rule->release, __ATOMIC_ACQUIRE) == 0) {
    (void)raw4(SYS_nanosleep, (intptr_t)&pause, 0, 0, 0);
  }
  __atomic_sub_fetch(&rule->holding, 1, __ATOMIC_SEQ_CST);
}

__attribute__((noreturn)) static void strike(uint64_t index) {
  __atomic_store_n(&control->killed, index, __ATOMIC_SEQ_CST);
  for (;;) (void)raw4(SYS_kill, raw4(SYS_getpid, 0, 0, 0, 0), SIGKILL, 0, 0);
}

static void write_all(int fd, const char *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    const int64_t wrote = raw4(SYS_write, fd, (intptr_t)(bytes + done), (int64_t)(length - done), 0);
    if (wrote == -EINTR) continue;
    if (wrote <= 0) {
      errno = wrote < 0 ? (int)-wrote : EIO;
      complain("cannot write", "the log");
    }
    done += (size_t)wrote;
  }
}

/** A path on a line with tabs: everything unusual as %XX. */
static size_t put_path(char *out, const char *path) {
  static const char digits[] = "0123456789ABCDEF";
  char *at = out;
  *at++ = '\t';
  for (const unsigned char *c = (const unsigned char *)path; *c != 0; c++) {
    if (*c > ' ' && *c < 0x7f && *c != '%') {
      *at++ = (char)*c;
      continue;
    }
    *at++ = '%';
    *at++ = digits[*c >> 4];
    *at++ = digits[*c & 15];
  }
  return (size_t)(at - out);
}

static void log_begin(struct call *call) {
  char line[line_max];
  const long tid = raw4(SYS_gettid, 0, 0, 0, 0);
  size_t length = (size_t)snprintf(
      line, sizeof line, "B\t%llu\t%ld\t%s\t%d\t%llu\t%lld\t%llu\t%d\t%lld", (unsigned long long)call->index, tid,
      call->name, call->fd, (unsigned long long)call->inode, (long long)call->offset,
      (unsigned long long)call->length, call->flags, (long long)call->data_at);
  length += put_path(line + length, call->full);
  if (call->path2 != NULL) length += put_path(line + length, call->full2);
  line[length++] = '\n';
  write_all(log_fd, line, length);
}

static void log_end(const struct call *call) {
  static const char *const acts[] = {"-", "kill", "kill", "fail", "short", "hang", "hang", "drop"};
  char line[256];
  const int length = snprintf(
      line, sizeof line, "E\t%llu\t%lld\t%s\t%llu\t%d\n", (unsigned long long)call->index, (long long)call->result,
      acts[call->acting & 7], (unsigned long long)call->inode, call->created);
  write_all(log_fd, line, (size_t)length);
}

/** Puts what is about to be written into the data file. */
static void save_bytes(struct call *call) {
  if (data_fd < 0 || call->bytes == NULL) return;
  call->data_at = (int64_t)__atomic_fetch_add(&control->data_end, call->length, __ATOMIC_SEQ_CST);
  for (uint64_t done = 0; done < call->length;) {
    const int64_t wrote = raw4(
        SYS_pwrite64, data_fd, (intptr_t)((const char *)call->bytes + done), (int64_t)(call->length - done),
        call->data_at + (int64_t)done);
    if (wrote <= 0) complain("cannot write", "the data file");
    done += (uint64_t)wrote;
  }
}

uint64_t shim_inode(int fd, const char *path) {
  struct stat st;
  const int flags = *path == 0 ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  return raw4(SYS_newfstatat, fd, (intptr_t)path, (intptr_t)&st, flags) < 0 ? 0 : st.st_ino;
}

bool shim_keeps_data(void) { return data_fd >= 0; }

bool shim_enter(struct call *call) {
  const bool counted = (call->kind & kind_uncounted) == 0;
  call->index = counted ? __atomic_add_fetch(&control->calls, 1, __ATOMIC_SEQ_CST) : 0;
  call->data_at = -1;
  call->full[0] = call->full2[0] = 0;
  if (wants_paths()) {
    full_path(call->full, sizeof call->full, call->fd, call->path);
    if (call->path2 != NULL) full_path(call->full2, sizeof call->full2, call->fd2, call->path2);
  }
  decide(call);
  if (call->acting == act_short && call->length > call->rule->argument) call->length = call->rule->argument;
  if (log_fd >= 0 && counted) {
    if (data_fd >= 0 && call->path == NULL) call->inode = shim_inode(call->fd, "");
    save_bytes(call);
    log_begin(call);
  }
  switch (call->acting) {
    case act_kill_before: strike(call->index);
    case act_hang: hold(call->rule); break;
    case act_drop: call->result = 0; return false;
    default: break;
  }
  const bool fails = call->acting == act_fail || (call->acting == act_hang && call->rule->argument != 0);
  if (fails) {
    call->result = -(int64_t)call->rule->argument;
    return false;
  }
  if (data_fd >= 0 && (call->kind & kind_name) != 0) {
    pthread_mutex_lock(&names_lock);
    call->locked = true;
  }
  return true;
}

int64_t shim_leave(struct call *call) {
  if (log_fd >= 0 && call->index != 0) log_end(call);
  if (call->locked) pthread_mutex_unlock(&names_lock);
  if (call->acting == act_kill_after) strike(call->index);
  if (call->acting == act_hang_after) hold(call->rule);
  return shim_result(call->result);
}

#if defined(__x86_64__)
int64_t raw(long number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f) {
  register int64_t r10 __asm__("r10") = d;
  register int64_t r8 __asm__("r8") = e;
  register int64_t r9 __asm__("r9") = f;
  int64_t result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
int64_t raw(long number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f) {
  register int64_t x8 __asm__("x8") = number;
  register int64_t x0 __asm__("x0") = a;
  register int64_t x1 __asm__("x1") = b;
  register int64_t x2 __asm__("x2") = c;
  register int64_t x3 __asm__("x3") = d;
  register int64_t x4 __asm__("x4") = e;
  register int64_t x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "raw() knows x86-64 and aarch64"
#endif
