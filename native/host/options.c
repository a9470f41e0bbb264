#include "options.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "numbers.h"

static bool refuse(const struct command *command, const char *what, const char *which, const char *next) {
  fprintf(stderr, "vast-ost-host %s: %s%s%s; %s\n", command->name, what, *which == '\0' ? "" : " ", which, next);
  return false;
}

static const struct option *find_option(const struct command *command, const char *name, size_t length) {
  for (size_t i = 0; i < option_table_count; i++) {
    const struct option *option = &option_table[i];
    if ((option->commands & command->bit) != 0 && strlen(option->name) == length &&
        strncmp(option->name, name, length) == 0) {
      return option;
    }
  }
  return NULL;
}

static const char *what_it_takes(enum option_kind kind) {
  if (kind == OPTION_BYTES) return "a number of bytes such as 1048576, 256K or 4M";
  return kind == OPTION_RATIO ? "a ratio from 1 to 1000, with at most three decimals," : "a whole number";
}

static bool set_option(struct options *options, const struct option *option, const char *value) {
  void *member = (char *)options + option->member;
  uint64_t number = 0;
  switch (option->kind) {
    case OPTION_FLAG:
      *(bool *)member = true;
      return true;
    case OPTION_TEXT:
      *(const char **)member = value;
      return true;
    case OPTION_NUMBER:
      if (!parse_number(value, &number)) return false;
      break;
    case OPTION_BYTES:
      if (!parse_bytes(value, &number)) return false;
      break;
    case OPTION_RATIO:
      if (!parse_ratio(value, &number)) return false;
      break;
  }
  *(uint64_t *)member = number;
  return true;
}

static void set_defaults(struct options *options) {
  memset(options, 0, sizeof *options);
  for (size_t i = 0; i < option_table_count; i++) {
    const struct option *option = &option_table[i];
    if (option->kind != OPTION_FLAG && option->kind != OPTION_TEXT) {
      *(uint64_t *)((char *)options + option->member) = UNSET;
    }
  }
  options->server = "VastData:local";
  options->lsu = "default";
  options->job = "";
  options->buffer_bytes = 256 * 1024;
  options->seed = 1;
  options->read_max = 1024 * 1024;
}

/* Rules about one option's value, or about two options together, that no call would check for us. */
static bool check_options(const struct options *options) {
  const struct command *command = options->command;
  static const char rule[] = "give a multiple of 512 bytes, from 512 to 1 GiB";
  if (options->buffer_bytes == 0 || options->buffer_bytes % STS_BLOCK_SIZE != 0 || options->buffer_bytes > 1u << 30) {
    return refuse(command, "impossible size in", "--buffer", rule);
  }
  if (options->streams != UNSET && (options->streams == 0 || options->streams > STREAMS_MAX)) {
    return refuse(command, "impossible number in", "--streams", "give 1 to 1024");
  }
  const struct {
    const char *name;
    uint64_t value;
  } stops[] = {{"--incomplete-at", options->incomplete_at}, {"--die-at", options->die_at}, {"--hold-at", options->hold_at}};
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    if (stops[i].value != UNSET && stops[i].value % STS_BLOCK_SIZE != 0) {
      return refuse(command, "impossible size in", stops[i].name, "data is written in blocks of 512 bytes: give a multiple");
    }
  }
  if (options->generate_bytes != UNSET && options->positionals_count > 0) {
    return refuse(command, "both --generate and a file:", options->positionals[0], "give one of them");
  }
  if ((options->dedup != UNSET || options->compress != UNSET) && options->generate_bytes == UNSET &&
      options->verify_seed == UNSET) {
    return refuse(command, "--dedup or --compress without", "generated data",
                  "they shape what backup --generate and restore --verify-generated make");
  }
  if (options->random_writes_seed != UNSET && options->resume) {
    return refuse(command, "both --random-writes and --resume", "", "a resumed image goes on in order: give one of them");
  }
  if (options->rate == 0) return refuse(command, "impossible rate in", "--rate", "give 1 byte a second or more");
  if (options->think_us != UNSET && options->think_us > THINK_US_MAX) {
    return refuse(command, "impossible pause in", "--think-us", "give at most 60000000");
  }
  if (options->read_max == 0 || options->read_max > 1u << 30) {
    return refuse(command, "impossible size in", "--read-max", "give 1 byte to 1 GiB");
  }
  if (options->read_bytes == 0 || (options->read_bytes != UNSET && options->read_bytes > 1u << 30)) {
    return refuse(command, "impossible size in", "--read-bytes", "give 1 byte to 1 GiB");
  }
  if (options->image != NULL && options->image_hex != NULL) {
    return refuse(command, "both --image and --image-hex", "", "give one of them");
  }
  return true;
}

bool options_parse(struct options *options, const struct command *command, int argc, char **argv) {
  set_defaults(options);
  options->command = command;
  bool only_positionals = false;
  for (int i = 0; i < argc; i++) {
    const char *word = argv[i];
    if (only_positionals || strncmp(word, "--", 2) != 0) {
      if (options->positionals_count == command->positionals_max) {
        return refuse(command, "one argument too many:", word, "see --help");
      }
      options->positionals[options->positionals_count++] = word;
      continue;
    }
    if (word[2] == '\0') {
      only_positionals = true;
      continue;
    }
    const char *equals = strchr(word, '=');
    size_t length = equals == NULL ? strlen(word + 2) : (size_t)(equals - word - 2);
    const struct option *option = find_option(command, word + 2, length);
    if (option == NULL) return refuse(command, "unknown option", word, "see --help");
    const char *value = equals == NULL ? NULL : equals + 1;
    if (option->kind == OPTION_FLAG && value != NULL) {
      return refuse(command, "an option that takes no value:", word, "see --help");
    }
    if (option->kind != OPTION_FLAG && value == NULL) {
      if (i + 1 == argc) return refuse(command, "no value behind", word, "see --help");
      value = argv[++i];
    }
    if (!set_option(options, option, value)) {
      fprintf(stderr, "vast-ost-host %s: --%s takes %s, not \"%s\"\n", command->name, option->name,
              what_it_takes(option->kind), value);
      return false;
    }
  }
  if (options->date == UNSET && command->date_is_now) options->date = (uint64_t)time(NULL);
  return options->help || check_options(options);
}

static bool copy_field(const struct command *command, const char *name, const char *value, char *field) {
  if (value == NULL) return true;
  if (strlen(value) >= STS_MAX_FIELD) return refuse(command, "longer than 255 bytes:", name, "shorten it");
  strcpy(field, value);
  return true;
}

static bool copy_name(const struct options *options, uint64_t stream, char name[STS_MAX_IMAGENAME]) {
  size_t length = 0;
  if (options->image_hex != NULL) {
    if (!parse_hex(options->image_hex, strlen(options->image_hex), (unsigned char *)name, STS_MAX_IMAGENAME - 1, &length)) {
      return refuse(options->command, "no name in", "--image-hex", "give pairs of hex digits, at most 1023 bytes");
    }
    if (memchr(name, '\0', length) != NULL) {
      return refuse(options->command, "a zero byte in", "--image-hex", "names hold any byte but zero");
    }
  } else if (options->image != NULL) {
    length = strlen(options->image);
    if (length >= STS_MAX_IMAGENAME) return refuse(options->command, "longer than 1023 bytes:", "--image", "shorten it");
    memcpy(name, options->image, length);
  }
  if (length == 0) return refuse(options->command, "no name of the image", "", "give --image BASENAME");
  int more = 0;
  if (stream > 0) more = snprintf(name + length, STS_MAX_IMAGENAME - length, "_S%" PRIu64, stream);
  if (length + (size_t)more >= STS_MAX_IMAGENAME) {
    return refuse(options->command, "longer than 1023 bytes with its _S suffix:", "--image", "shorten it");
  }
  name[length + (size_t)more] = '\0';
  return true;
}

bool options_image(const struct options *options, uint64_t stream, sts_image_def_t *def) {
  const struct command *command = options->command;
  memset(def, 0, sizeof *def);
  if (!copy_name(options, stream, def->img_basename)) return false;
  if (options->date == UNSET) {
    return refuse(command, "no date of the image", "", "give --date SECONDS (the command list shows it)");
  }
  def->img_date = options->date;
  if (!copy_field(command, "--policy", options->policy, def->img_policy) ||
      !copy_field(command, "--schedule", options->schedule, def->img_schedule) ||
      !copy_field(command, "--client", options->client, def->img_client)) {
    return false;
  }
  size_t length = 0;
  if (options->opaque_hex != NULL) {
    if (!parse_hex(options->opaque_hex, strlen(options->opaque_hex), def->img_opaque, STS_MAX_OPAQUE, &length)) {
      return refuse(command, "no bytes in", "--opaque-hex", "give pairs of hex digits, at most 1024 bytes");
    }
  } else if (options->opaque != NULL) {
    length = strlen(options->opaque);
    if (length > STS_MAX_OPAQUE) return refuse(command, "longer than 1024 bytes:", "--opaque", "shorten it");
    memcpy(def->img_opaque, options->opaque, length);
  }
  def->img_opaque_length = (sts_uint32_t)length;
  return true;
}
