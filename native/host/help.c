#include <string.h>

#include "options.h"

void help_program(FILE *out) {
  fputs(
      "Usage: vast-ost-host COMMAND [OPTION...] [ARGUMENT...]\n"
      "\n"
      "Loads the vast-ost plug-in as a media server does and plays its programs: bptm (backup), bpdm (restore,\n"
      "delete, copy) and nbrmms (lsus, server).\n"
      "\n"
      "Commands:\n",
      out);
  for (size_t i = 0; i < commands_count; i++) fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
  fputs(
      "\n"
      "vast-ost-host COMMAND --help tells the rest; vast-ost-host --version the version.\n"
      "Exit codes: 0 done, 1 failed (\"status N (NAME): text\" on stderr), 2 wrong usage.\n"
      "The plug-in is the one named by --plugin, else by VAST_OST_PLUGIN, else the one beside this program.\n",
      out);
}

/* Prints text in a column that starts at `indent`, lines of at most 120 characters. */
static void print_column(FILE *out, const char *text, size_t indent, size_t at) {
  while (*text != '\0') {
    size_t word = strcspn(text, " ");
    if (at + word + 1 > 120 && at > indent) {
      fprintf(out, "\n%*s", (int)indent, "");
      at = indent;
    }
    fprintf(out, "%.*s", (int)word, text);
    at += word;
    text += word;
    if (*text == ' ') {
      fputc(' ', out);
      at++;
      text++;
    }
  }
  fputc('\n', out);
}

void help_command(FILE *out, const struct command *command) {
  fprintf(out, "Usage: vast-ost-host %s [OPTION...]%s%s\n\n%s.\n", command->name, *command->arguments == '\0' ? "" : " ",
          command->arguments, command->summary);
  if (command->details != NULL) fprintf(out, "\n%s", command->details);
  fputs("\nOptions:\n", out);
  for (size_t i = 0; i < option_table_count; i++) {
    const struct option *option = &option_table[i];
    if ((option->commands & command->bit) == 0) continue;
    int width = fprintf(out, "  --%s%s%s", option->name, option->argument == NULL ? "" : " ",
                        option->argument == NULL ? "" : option->argument);
    if (width < 28) width += fprintf(out, "%*s", 28 - width, "");
    if (width > 28) {
      fprintf(out, "\n%28s", "");
      width = 28;
    }
    print_column(out, option->help, 28, (size_t)width);
  }
}
