/* script-process.c: what a host program's process does besides calling: fork, die, take signals. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script-calls.h"

bool script_name_fits(struct script *script, const char *name) {
  return strlen(name) < SCRIPT_NAME_MAX || script_error(script, "a handle's name is longer than %d bytes", SCRIPT_NAME_MAX - 1);
}

static uint64_t count_entries(const char *path) {
  DIR *directory = opendir(path);
  uint64_t count = 0;
  if (directory == NULL) return 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] != '.') count++;
  }
  closedir(directory);
  return count;
}

static uint64_t count_lines(const char *path) {
  FILE *file = fopen(path, "re");
  uint64_t lines = 0;
  if (file == NULL) return 0;
  for (int c; (c = getc(file)) != EOF;) lines += c == '\n';
  fclose(file);
  return lines;
}

/* The number behind `key` in /proc/self/status. */
static uint64_t proc_status(const char *key) {
  FILE *file = fopen("/proc/self/status", "re");
  char line[256];
  uint64_t value = 0;
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    for (const char *at = line + strlen(key); *at != '\0'; at++) {
      if (*at >= '0' && *at <= '9') value = value * 10 + (uint64_t)(*at - '0');
    }
  }
  fclose(file);
  return value;
}

/* To see leaks: compare two answers. */
void script_process(struct script *script, const struct words *words) {
  (void)words;
  script_done(script);
  json_number(&script->json, "pid", (uint64_t)getpid());
  json_number(&script->json, "descriptors", count_entries("/proc/self/fd") - 1); /* without the one of this count */
  json_number(&script->json, "mappings", count_lines("/proc/self/maps"));
  json_number(&script->json, "threads", proc_status("Threads:"));
  json_number(&script->json, "rss_kb", proc_status("VmRSS:"));
}

static void ignore_signal(int number) { (void)number; }

/* SIGALRM each MS milliseconds, without SA_RESTART: every wait of the plug-in meets EINTR. 0 ends it. */
void script_timer(struct script *script, const struct words *words) {
  uint64_t ms = 0;
  if (!words_number(script, words->at[0], &ms)) return;
  struct sigaction action = {.sa_handler = ignore_signal};
  sigaction(SIGALRM, &action, NULL);
  struct timeval each = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
  struct itimerval timer = {.it_interval = each, .it_value = each};
  if (setitimer(ITIMER_REAL, &timer, NULL) != 0) {
    script_error(script, "setitimer: %s", strerror(errno));
  } else {
    script_done(script);
  }
}

/* The child takes over the following lines up to end_fork; the parent waits for it and answers then. */
void script_fork(struct script *script, const struct words *words) {
  (void)words;
  int wait_status = 0;
  pid_t pid = fork();
  if (pid < 0) {
    script_error(script, "fork: %s", strerror(errno));
    return;
  }
  if (pid == 0) {
    script->in_child = true;
    script_done(script);
    json_bool(&script->json, "child", true);
    json_number(&script->json, "pid", (uint64_t)getpid());
    return;
  }
  while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) continue;
  script_done(script);
  json_bool(&script->json, "child", false);
  json_number(&script->json, "pid", (uint64_t)pid);
  if (WIFSIGNALED(wait_status)) json_integer(&script->json, "signal", WTERMSIG(wait_status));
  if (WIFEXITED(wait_status)) json_integer(&script->json, "exit", WEXITSTATUS(wait_status));
}

static void leave(struct script *script, int code) {
  script_done(script);
  script_send(script);
  _exit(code);
}

void script_end_fork(struct script *script, const struct words *words) {
  (void)words;
  if (!script->in_child) {
    script_error(script, "end_fork without fork");
    return;
  }
  leave(script, EXIT_DONE);
}

/*
 * A child that keeps all descriptors of the plug-in and does nothing, as children of bptm do; it goes after SECONDS, or
 * when somebody kills the pid of the answer. Standard streams are given up, so that nobody waits for their end.
 */
void script_fork_idle(struct script *script, const struct words *words) {
  uint64_t seconds = 60;
  if (words->count > 0 && !words_number(script, words->at[0], &seconds)) return;
  pid_t pid = fork();
  if (pid < 0) {
    script_error(script, "fork: %s", strerror(errno));
    return;
  }
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
    signal(SIGALRM, SIG_DFL);
    alarm((unsigned)seconds);
    for (;;) pause();
  }
  script_done(script);
  json_number(&script->json, "pid", (uint64_t)pid);
}

void script_die(struct script *script, const struct words *words) {
  (void)script;
  (void)words;
  kill(getpid(), SIGKILL);
}

/* Ends without closing anything. */
void script_exit(struct script *script, const struct words *words) {
  uint64_t code = 0;
  if (words->count > 0 && !words_number(script, words->at[0], &code)) return;
  leave(script, (int)code);
}

void script_echo(struct script *script, const struct words *words) {
  script_done(script);
  json_text(&script->json, "echo", words->count > 0 ? words->at[0] : "");
}
