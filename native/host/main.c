/* main.c: finds the command and runs it. */
#include <string.h>

#include "options.h"
#include "script.h"

#define VERSION "vast-ost-host 0.1.0"

static const struct command *find_command(const char *name) {
  for (size_t i = 0; i < commands_count; i++) {
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

int main(int argc, char **argv) {
  static struct options options;
  if (argc < 2) {
    help_program(stderr);
    return EXIT_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    help_program(stdout);
    return EXIT_DONE;
  }
  if (strcmp(argv[1], "--version") == 0) {
    puts(VERSION);
    return EXIT_DONE;
  }
  const struct command *command = find_command(argv[1]);
  if (command == NULL) {
    fprintf(stderr, "vast-ost-host: no command %s; see vast-ost-host --help\n", argv[1]);
    return EXIT_USAGE;
  }
  if (!options_parse(&options, command, argc - 2, argv + 2)) return EXIT_USAGE;
  if (options.help) {
    help_command(stdout, command);
    if (strcmp(command->name, "script") == 0) script_help(stdout);
    return EXIT_DONE;
  }
  return command->run(&options);
}
