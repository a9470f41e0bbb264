/* option-table.c: every command and every option, with its help. */
#include "commands.h"

enum {
  BACKUP = 1u << 0,
  RESTORE = 1u << 1,
  LIST = 1u << 2,
  INFO = 1u << 3,
  DELETE = 1u << 4,
  COPY = 1u << 5,
  LSUS = 1u << 6,
  CREATE_LSU = 1u << 7,
  LABEL_LSU = 1u << 8,
  SERVER = 1u << 9,
  META_READ = 1u << 10,
  META_WRITE = 1u << 11,
  SCRIPT = 1u << 12,
};
#define MOVERS (BACKUP | RESTORE)
#define METAS (META_READ | META_WRITE)
#define ONE_IMAGE (MOVERS | INFO | DELETE | COPY | METAS)
#define CONNECTED (ONE_IMAGE | LIST | LSUS | CREATE_LSU | LABEL_LSU | SERVER)
#define EVERY (CONNECTED | SCRIPT)

const struct command commands[] = {
    {.name = "backup",
     .bit = BACKUP,
     .run = run_backup,
     .arguments = "[FILE... | -]",
     .positionals_max = INPUTS_MAX,
     .date_is_now = true,
     .summary = "Writes an image from a file, standard input or generated data, as bptm does",
     .details =
         "Data goes in buffers of --buffer bytes. The last block is padded with zeros to 512 bytes, and the true length\n"
         "is kept in the image's opaque metadata as {\"length\":N}, where restore finds it. After a failure the image is\n"
         "closed incomplete, so that it can be resumed or deleted.\n"
         "Seconds run from create to the end of close; CPU seconds are those of this program and the plug-in in it.\n"},
    {.name = "restore",
     .bit = RESTORE,
     .run = run_restore,
     .arguments = "",
     .summary = "Reads an image, as bpdm does",
     .details = "The data goes to standard output, or to --output FILE, without the padding that backup added.\n"},
    {.name = "list", .bit = LIST, .run = run_list, .arguments = "", .summary = "Lists the images of an LSU"},
    {.name = "info", .bit = INFO, .run = run_info, .arguments = "", .summary = "Shows the properties of an image"},
    {.name = "delete", .bit = DELETE, .run = run_delete, .arguments = "", .summary = "Deletes an image"},
    {.name = "copy",
     .bit = COPY,
     .run = run_copy,
     .arguments = "",
     .summary = "Copies an image inside the storage server and says by which method"},
    {.name = "lsus", .bit = LSUS, .run = run_lsus, .arguments = "", .summary = "Lists the LSUs with their capacity, as nbrmms does"},
    {.name = "create-lsu", .bit = CREATE_LSU, .run = run_create_lsu, .arguments = "", .summary = "Creates the LSU named by --lsu"},
    {.name = "label-lsu", .bit = LABEL_LSU, .run = run_label_lsu, .arguments = "", .summary = "Labels the LSU named by --lsu"},
    {.name = "server", .bit = SERVER, .run = run_server, .arguments = "", .summary = "Shows the storage server, plug-in and engine"},
    {.name = "meta-read",
     .bit = META_READ,
     .run = run_meta_read,
     .arguments = "",
     .summary = "Writes the opaque metadata of a complete image to standard output"},
    {.name = "meta-write",
     .bit = META_WRITE,
     .run = run_meta_write,
     .arguments = "",
     .summary = "Sets the opaque metadata of a pending image from --text or standard input"},
    {.name = "script",
     .bit = SCRIPT,
     .run = run_script,
     .arguments = "",
     .summary = "Runs single calls of the API, read from standard input, one answer in JSON a line"},
};
const size_t commands_count = sizeof commands / sizeof *commands;

#define MEMBER(member) offsetof(struct options, member)
#define TEXT(option, arg, m, where, text) {option, arg, OPTION_TEXT, MEMBER(m), where, text}
#define BYTES(option, m, where, text) {option, "BYTES", OPTION_BYTES, MEMBER(m), where, text}
#define NUMBER(option, arg, m, where, text) {option, arg, OPTION_NUMBER, MEMBER(m), where, text}
#define RATIO(option, m, where, text) {option, "RATIO", OPTION_RATIO, MEMBER(m), where, text}
#define FLAG(option, m, where, text) {option, NULL, OPTION_FLAG, MEMBER(m), where, text}

/* The order is that of --help: first what is the command's own. */
const struct option option_table[] = {
    TEXT("image", "BASENAME", image, ONE_IMAGE, "basename of the image"),
    TEXT("image-hex", "HEX", image_hex, ONE_IMAGE, "the same in hex digits, for names that a shell cannot give"),
    NUMBER("date", "SECONDS", date, ONE_IMAGE, "date of the image, seconds since 1970; backup: now, if left out"),
    TEXT("policy", "TEXT", policy, BACKUP, "policy, kept in the image's definition"),
    TEXT("schedule", "TEXT", schedule, BACKUP, "schedule, likewise"),
    TEXT("client", "TEXT", client, BACKUP, "client, likewise"),
    TEXT("opaque", "TEXT", opaque, BACKUP, "opaque bytes of the image's definition"),
    TEXT("opaque-hex", "HEX", opaque_hex, BACKUP, "the same in hex digits"),
    BYTES("buffer", buffer_bytes, MOVERS, "bytes of one call, a multiple of 512 (256K)"),
    FLAG("create-lsu", create_lsu, BACKUP, "create the LSU if it is not there"),
    FLAG("resume", resume, BACKUP, "go on with a pending image at its durable size; the input is skipped up to there"),
    BYTES("flush-every", flush_every, BACKUP, "flush after each so many bytes"),
    BYTES("incomplete-at", incomplete_at, BACKUP, "stop after so many bytes and close without COMPLETE (also when the input ends before)"),
    BYTES("die-at", die_at, BACKUP, "raise SIGKILL after so many bytes"),
    BYTES("hold-at", hold_at, BACKUP, "after so many bytes print {\"event\":\"holding\"…} and wait for a line on standard input"),
    FLAG("hold", hold, BACKUP, "the same before close"),
    NUMBER("random-writes", "SEED", random_writes_seed, BACKUP, "write the buffers in an order drawn from SEED"),
    BYTES("generate", generate_bytes, BACKUP, "write so much generated data that does not compress (pattern.h defines it)"),
    NUMBER("seed", "S", seed, MOVERS, "seed of --generate, of --random-reads (1)"),
    RATIO("dedup", dedup, MOVERS, "generated data of which one unit of 1 MiB in RATIO is fresh; 1: all of it (shape.h defines it)"),
    RATIO("compress", compress, MOVERS, "generated data of which 4096 / RATIO bytes of each 4 KiB do not compress and the rest is zero"),
    NUMBER("streams", "N", streams, MOVERS, "N processes, one image each: names end in _S1 … _SN, and %d in file names is the number"),
    BYTES("rate", rate, MOVERS, "move at most so many bytes a second in each stream, as a slow client does"),
    NUMBER("think-us", "US", think_us, MOVERS, "pause so many microseconds behind each call that moves data"),
    TEXT("output", "FILE", output, RESTORE, "where the data goes instead of standard output"),
    FLAG("discard", discard, RESTORE, "read and throw away"),
    BYTES("offset", offset, RESTORE, "first byte to restore (0)"),
    BYTES("length", length, RESTORE, "bytes to restore (all)"),
    FLAG("raw", raw, RESTORE, "the image as it is stored, with backup's padding"),
    NUMBER("verify-generated", "S", verify_seed, RESTORE, "compare with what backup --generate --seed S wrote"),
    TEXT("compare", "FILE", compare, RESTORE, "compare with a file"),
    NUMBER("random-reads", "N", random_reads, RESTORE, "N reads at random places instead, output none; for use with the two above"),
    BYTES("read-max", read_max, RESTORE, "longest random read (1M)"),
    BYTES("read-bytes", read_bytes, RESTORE, "every random read so long, at a multiple of it, instead of --read-max"),
    TEXT("state", "STATE", state, LIST, "complete or pending; else both"),
    FLAG("details", details_too, LIST, "with state, size and checksum"),
    FLAG("count", count_only, LIST, "tell only how many there are, when the first came, and how long it took"),
    TEXT("to-lsu", "NAME", to_lsu, COPY, "LSU of the copy; else the same"),
    TEXT("to-image", "BASENAME", to_image, COPY, "basename of the copy; else the same"),
    NUMBER("to-date", "SECONDS", to_date, COPY, "date of the copy; else the same"),
    TEXT("label", "TEXT", label, LABEL_LSU, "the label"),
    TEXT("text", "TEXT", text, META_WRITE, "the metadata; else standard input"),
    TEXT("lsu", "NAME", lsu, CONNECTED & ~(unsigned)(SERVER | LSUS), "LSU (default)"),
    TEXT("server", "NAME", server, CONNECTED, "storage server (VastData:local)"),
    TEXT("config", "FILE", config, CONNECTED, "the plug-in's vast-ost.conf; else VAST_OST_CONF, else /usr/openv/lib/ost-plugins/vast-ost.conf"),
    TEXT("plugin", "FILE", plugin, EVERY, "the plug-in; else VAST_OST_PLUGIN, else the one beside this program"),
    TEXT("job", "NAME", job, CONNECTED, "name of the job, for the engine's log"),
    FLAG("json", json, CONNECTED, "the result as one line of JSON"),
    TEXT("result", "FILE", result, CONNECTED, "where the result goes instead of standard output"),
    FLAG("progress", progress, MOVERS, "a line on standard error each second"),
    FLAG("verbose", verbose, EVERY, "the plug-in's log on standard error"),
    FLAG("help", help, EVERY, "this text"),
};
const size_t option_table_count = sizeof option_table / sizeof *option_table;
