/* script-table.c: every line of the script language, and its help. */
#include "script-calls.h"

#define DEF "policy schedule client opaque opaque_length"
#define LINE(name, usage, options, least, most, help) {#name, usage, options, least, most, false, script_##name, help}
#define RAW_LINE(name, usage, help) {#name, usage, "", 0, 0, true, script_##name, help}

const struct script_command script_commands[] = {
    LINE(init, "[CONF]", "abi error error_size", 0, 1, "stsp_init; error=null hands in no text buffer. Answers error"),
    LINE(claim, "NAME", "", 1, 1, "stsp_claim"),
    LINE(terminate, "", "", 0, 0, "stsp_terminate"),
    LINE(version, "", "", 0, 0, "stsp_version; the plug-in's path"),
    LINE(unload, "", "", 0, 0, "dlclose"),
    LINE(load, "[PATH]", "", 0, 1, "dlopen again, of PATH or as at start"),
    LINE(session, "SESSION [JOB]", "abi log", 1, 2, "makes a session; log=null: without a log callback"),
    LINE(log, "SESSION", "", 1, 1, "lines that the log callback got, and the last of them"),
    LINE(open_server, "SESSION SERVER NAME", "server", 3, 3, "stsp_open_server"),
    LINE(close_server, "SERVER", "", 1, 1, "stsp_close_server"),
    LINE(server_prop, "SERVER", "info", 1, 1, "stsp_get_server_prop"),
    LINE(server_prop_byname, "SESSION NAME", "info", 2, 2, "stsp_get_server_prop_byname"),
    LINE(open_lsu_list, "SERVER LIST", "list", 2, 2, "stsp_open_lsu_list"),
    LINE(list_lsu, "LIST", "lsu", 1, 1, "stsp_list_lsu"),
    LINE(close_lsu_list, "LIST", "", 1, 1, "stsp_close_lsu_list"),
    LINE(list_lsus, "SERVER", "", 1, 1, "the three above in one line. Answers lsus (hex) and count"),
    LINE(lsu_prop, "SERVER LSU", "info", 2, 2, "stsp_get_lsu_prop_byname"),
    LINE(create_lsu, "SERVER LSU", "", 2, 2, "stsp_create_lsu"),
    LINE(label_lsu, "SERVER LSU LABEL", "", 3, 3, "stsp_label_lsu"),
    LINE(create_image, "SERVER IMAGE LSU NAME DATE", DEF " pending_hint image", 5, 5, "stsp_create_image"),
    LINE(open_image, "SERVER IMAGE LSU NAME DATE read|write|MODE", "image", 6, 6, "stsp_open_image"),
    LINE(write, "IMAGE OFFSET LENGTH SEED|zero", "times step from misalign buffer written", 4, 4,
         "stsp_write_image of gen(SEED, OFFSET); times=N calls, each step=BYTES (LENGTH) further, up to the first "
         "failure; from=OFFSET: data as if it stood there. Answers done (calls that succeeded) and written"),
    LINE(write_bytes, "IMAGE OFFSET STRING", "", 3, 3, "stsp_write_image of these bytes"),
    LINE(read, "IMAGE OFFSET LENGTH", "times expect hex misalign buffer got", 3, 3,
         "stsp_read_image, times=N calls one behind the other, up to the first short one. Answers got, crc32 (of zlib), "
         "overrun (bytes behind LENGTH were touched), with expect= match and mismatch_at, with hex=1 the last call's bytes"),
    LINE(flush, "IMAGE", "", 1, 1, "stsp_flush_image"),
    LINE(close, "IMAGE complete|incomplete|FLAGS", "", 2, 2, "stsp_close_image; the name stays, with its dead handle"),
    LINE(meta_write, "IMAGE OFFSET LENGTH SEED|zero", "misalign buffer written", 4, 4, "stsp_write_image_meta"),
    LINE(meta_write_bytes, "IMAGE OFFSET STRING", "", 3, 3, "stsp_write_image_meta of these bytes"),
    LINE(meta_read, "IMAGE OFFSET LENGTH", "expect misalign buffer got", 3, 3, "stsp_read_image_meta. Answers got, crc32, hex, overrun"),
    LINE(prop, "IMAGE", "info", 1, 1, "stsp_get_image_prop"),
    LINE(prop_byname, "SERVER LSU NAME DATE", "info", 4, 4, "stsp_get_image_prop_byname"),
    LINE(delete, "SERVER LSU NAME DATE", "async", 4, 4, "stsp_delete_image"),
    LINE(copy, "SERVER TO_LSU TO_NAME TO_DATE FROM_LSU FROM_NAME FROM_DATE", DEF " method", 7, 7, "stsp_copy_image. Answers method"),
    LINE(open_image_list, "SERVER LIST LSU [all|complete|pending|STATES]", "list", 3, 4, "stsp_open_image_list"),
    LINE(list_image, "LIST", "def", 1, 1, "stsp_list_image"),
    LINE(close_image_list, "LIST", "", 1, 1, "stsp_close_image_list"),
    LINE(list_images, "SERVER LSU [all|complete|pending|STATES]", "", 2, 3, "the three above in one line. Answers images and count"),
    LINE(images, "SERVER LSU PREFIX FIRST COUNT LENGTH SEED|zero", "date", 7, 7,
         "COUNT images named PREFIX and a number from FIRST on: create, write LENGTH (0: no write), close complete, up to "
         "the first failure. Answers done and the microseconds of each: total_us, min_us, p50_us, p90_us, p99_us, p999_us, max_us"),
    RAW_LINE(repeat, "COUNT COMMAND…",
             "runs a command COUNT times, up to the first failure; \"%d\" in it is the number of the run, from 0. Answers "
             "what the last run answers, repeated (runs that succeeded) and the microseconds of the calls as images does"),
    LINE(crc, "SEED|zero OFFSET LENGTH", "", 3, 3, "CRC-32 of generated data, no call"),
    LINE(process, "", "", 0, 0, "pid, descriptors, mappings, threads, rss_kb of this process"),
    LINE(timer, "MS", "", 1, 1, "SIGALRM each MS milliseconds with an empty handler, so that waits meet EINTR; 0 ends it"),
    LINE(fork, "", "", 0, 0, "forks; the child answers and takes the following lines up to end_fork, then the parent answers (exit or signal)"),
    LINE(end_fork, "", "", 0, 0, "ends the child, nothing closed"),
    LINE(fork_idle, "[SECONDS]", "", 0, 1, "forks a child that keeps the descriptors and does nothing (60 s). Answers pid"),
    LINE(die, "", "", 0, 0, "SIGKILL to this process; no answer"),
    LINE(exit, "[CODE]", "", 0, 1, "ends, nothing closed"),
    LINE(echo, "[WORD]", "", 0, 1, "answers the word"),
};
const size_t script_commands_count = sizeof script_commands / sizeof *script_commands;

void script_help(FILE *out) {
  fputs(
      "\nThe language of the script:\n"
      "\n"
      "One line is one call: COMMAND WORD… key=value…, blanks between; empty lines and lines that begin with # are\n"
      "skipped. Each is answered by one line of JSON: {\"line\":N,\"command\":…,\"status\":N,\"name\":\"STS_…\",\"text\":…,\n"
      "\"us\":microseconds of the call, …}. Status -1 with name SCRIPT: the line itself is wrong; the exit code is then 2.\n"
      "\n"
      "  SESSION SERVER IMAGE LIST   names of handles, chosen by the line that makes them; null is NULL. The name of a\n"
      "                              closed handle still stands for it, so that closing twice can be tried.\n"
      "  NAME LSU JOB LABEL STRING   hex:DIGITS, text:CHARACTERS, \"\" (empty), null (NULL), else the word itself. A NAME of\n"
      "                              1024 bytes fills its field without a NUL. NAME null hands in no definition.\n"
      "  OFFSET LENGTH DATE N        a number up to 2^64-1, also 0x…, 4K, 64M. LENGTHs above 256M come with a buffer of\n"
      "                              256M: for calls that must be refused.\n"
      "  key=null                    hands in NULL for that pointer (info list def image server method written got buffer)\n"
      "  policy= schedule= client= opaque=   STRINGs of the definition; opaque_length=N overrides its length\n"
      "  misalign=N                  the buffer begins N bytes behind a page\n"
      "  expect=PART,PART…           what a read should give, from its OFFSET on: SEED:LENGTH or zero:LENGTH; the last\n"
      "                              one's :LENGTH may be left out (all the rest)\n"
      "\n"
      "Data: gen(seed, offset), modulo 2^64, with G = 0x9e3779b97f4a7c15:\n"
      "  mix(z)    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9; z = (z ^ z >> 27) * 0x94d049bb133111eb; z ^ z >> 31\n"
      "  word(i)   mix(mix(seed + G) + (i + 1) * G)\n"
      "  the byte at image offset o is byte o % 8, lowest first, of word(o / 8)\n"
      "\n"
      "Commands:\n",
      out);
  for (size_t i = 0; i < script_commands_count; i++) {
    const struct script_command *command = &script_commands[i];
    fprintf(out, "  %s %s\n", command->name, command->usage);
    if (*command->options != '\0') fprintf(out, "      keys: %s\n", command->options);
    fprintf(out, "      %s\n", command->help);
  }
}
