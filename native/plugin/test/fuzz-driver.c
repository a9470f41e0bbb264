/*
 * fuzz-driver.c: drives a fuzzer without libFuzzer: fuzz-NAME [--seconds N] [--seed N] [--keep DIR] CORPUS…
 *
 * Runs every file of the corpora (files or directories), then mutates. The code under test is compiled with
 * -fsanitize-coverage=trace-pc: an input that takes a new edge is mutated further, and kept with --keep. On a finding the
 * input is written to DIR/finding (or ./finding) before the process ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUTS_MAX 4096u
#define INPUT_BYTES_MAX 70000u
#define EDGES (1u << 16)
#define INPUT_SECONDS_MAX 20u

struct input {
  unsigned char *bytes;
  size_t length;
};

static struct input inputs[INPUTS_MAX];
static unsigned input_count;
static unsigned char current[INPUT_BYTES_MAX];
static size_t current_length;
static const char *keep_dir;
static uint64_t state;

/* ---- coverage -------------------------------------------------------------------------------------------------------- */

static unsigned char edges[EDGES], known_edges[EDGES];
static uintptr_t last_place;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void) {
  uintptr_t place = (uintptr_t)__builtin_return_address(0);
  place = (place ^ place >> 16) * 0x9e3779b1u % EDGES;
  edges[(place ^ last_place >> 1) % EDGES] = 1;
  last_place = place;
}

static int new_edges(void) {
  int found = 0;
  for (unsigned i = 0; i < EDGES; i++) {
    if (edges[i] && !known_edges[i]) known_edges[i] = 1, found++;
  }
  return found;
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t bound) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % bound;
}

static void write_input(const char *dir, const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return;
  if (write(fd, current, current_length) != (ssize_t)current_length) fputs("cannot keep the input\n", stderr);
  close(fd);
}

static void finding(void) {
  write_input(keep_dir ? keep_dir : ".", "finding");
  fputs("FINDING: the input is in the file 'finding'\n", stderr);
}

void __sanitizer_set_death_callback(void (*callback)(void));

static void aborted(int number) {
  finding();
  signal(number, SIG_DFL);
  raise(number);
}

/* A copy on the heap of exactly its length: one byte too far is found. */
static void run(void) {
  unsigned char *copy = malloc(current_length ? current_length : 1);
  if (!copy) abort();
  memcpy(copy, current, current_length);
  memset(edges, 0, sizeof edges);
  last_place = 0;
  alarm(INPUT_SECONDS_MAX);
  (void)LLVMFuzzerTestOneInput(copy, current_length);
  alarm(0);
  free(copy);
}

static void add_current(void) {
  if (input_count == INPUTS_MAX) return;
  struct input *input = &inputs[input_count++];
  input->length = current_length;
  input->bytes = malloc(current_length ? current_length : 1);
  if (!input->bytes) abort();
  memcpy(input->bytes, current, current_length);
}

static void run_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return;
  current_length = fread(current, 1, sizeof current, file);
  fclose(file);
  run();
  (void)new_edges();
  add_current();
}

static void run_corpus(const char *path) {
  struct stat about;
  if (stat(path, &about) != 0) return;
  if (!S_ISDIR(about.st_mode)) {
    run_file(path);
    return;
  }
  struct dirent **names;
  int count = scandir(path, &names, NULL, alphasort); /* the same order everywhere: the seed decides the rest */
  for (int i = 0; i < count; i++) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
    if (names[i]->d_name[0] != '.' && !strstr(names[i]->d_name, ".json") && !strstr(names[i]->d_name, ".md"))
      run_file(full);
    free(names[i]);
  }
  if (count >= 0) free(names);
}

/* ---- mutation -------------------------------------------------------------------------------------------------------- */

static void insert(size_t at, const unsigned char *bytes, size_t length) {
  if (current_length + length > sizeof current) return;
  memmove(current + at + length, current + at, current_length - at);
  memcpy(current + at, bytes, length);
  current_length += length;
}

static void mutate_once(void) {
  static const uint64_t numbers[] = {0, 1, 2, 7, 8, 16, 511, 512, 4095, 4096, 8192, 0x7fffffff, 0x80000000, 0xffffffff,
                                     0x100000000, INT64_MAX, UINT64_MAX};
  size_t at = (size_t)draw(current_length + 1);
  size_t length = 1 + (size_t)draw(16);
  unsigned char bytes[64];
  if (length > current_length - at) length = current_length - at;
  switch (draw(8)) {
    case 0: if (at < current_length) current[at] ^= (unsigned char)(1u << draw(8)); break;
    case 1: if (at < current_length) current[at] = (unsigned char)draw(256); break;
    case 2: /* a number of 1, 2, 4 or 8 bytes */
      length = (size_t)1 << draw(4);
      if (at + length <= current_length) memcpy(current + at, &numbers[draw(sizeof numbers / sizeof *numbers)], length);
      break;
    case 3: /* cut out */
      memmove(current + at, current + at + length, current_length - at - length);
      current_length -= length;
      break;
    case 4: /* twice */
      memcpy(bytes, current + at, length);
      insert(at, bytes, length);
      break;
    case 5:
      for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)draw(draw(2) ? 256 : 4);
      insert(at, bytes, 1 + (size_t)draw(sizeof bytes - 1));
      break;
    case 6: { /* a piece of another one */
      const struct input *other = &inputs[draw(input_count)];
      if (other->length == 0) break;
      size_t from = (size_t)draw(other->length);
      size_t most = other->length - from;
      insert(at, other->bytes + from, 1 + (size_t)draw(most < 256 ? most : 256));
      break;
    }
    default: current_length = draw(8) ? current_length : at; break;
  }
}

int main(int count, char **arguments) {
  uint64_t seed = (uint64_t)time(NULL);
  double seconds = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  __sanitizer_set_death_callback(finding);
  signal(SIGABRT, aborted);
  signal(SIGALRM, aborted);
  for (int i = 1; i < count; i++) {
    if (strcmp(arguments[i], "--seconds") == 0 && i + 1 < count) seconds = atof(arguments[++i]);
    else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count) seed = strtoull(arguments[++i], NULL, 10);
    else if (strcmp(arguments[i], "--keep") == 0 && i + 1 < count) keep_dir = arguments[++i];
    else run_corpus(arguments[i]);
  }
  unsigned from_corpus = input_count;
  unsigned long runs = input_count;
  state = seed * 0x9e3779b97f4a7c15u | 1;
  if (input_count == 0) add_current();
  double end = (double)clock() / CLOCKS_PER_SEC + seconds; /* CPU seconds */
  while (seconds > 0 && (double)clock() / CLOCKS_PER_SEC < end) {
    const struct input *parent = &inputs[draw(2) ? draw(input_count) : input_count - 1 - draw((input_count + 3) / 4)];
    memcpy(current, parent->bytes, parent->length);
    current_length = parent->length;
    for (uint64_t steps = 1 + draw(6); steps > 0; steps--) mutate_once();
    run();
    runs++;
    if (!new_edges()) continue;
    add_current();
    char name[32];
    snprintf(name, sizeof name, "%llu-%u", (unsigned long long)seed, input_count);
    if (keep_dir) write_input(keep_dir, name);
  }
  printf("%s: seed %llu, %u inputs of the corpus, %lu runs, %u new inputs, no finding\n", arguments[0],
         (unsigned long long)seed, from_corpus, runs, input_count - from_corpus);
  return 0;
}
