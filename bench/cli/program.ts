/** The commands of the bench and their options. What each does is in a file of its own, loaded when it runs. */
import { Command, CommanderError } from 'commander';
import { BenchError, CutShort } from '../bench-error.ts';
import { ResultFileError } from '../result/read.ts';
import { peerNames } from '../subjects/peer-names.ts';
import { typed } from '../workplace/typed.ts';
import type { BenchIo } from './io.ts';
import { runOptions } from './options.ts';

const usageCode = 2;

const examples: readonly (readonly [command: string, what: string])[] = [
  ['--quick --streams 1', 'a look in a minute or two; no claim'],
  ['--target /mnt/vast --streams 1,4,16', 'on storage of your own'],
  ['--target /mnt/vast --block 16,64 --mode io-only --workloads write,restore', 'a sweep'],
  ["--target 's3://bucket/prefix?endpoint=https://s3.example.com' --streams 4", 'in a bucket; see below'],
  ['--target /mnt/vast --soak 24', 'a day of rounds, and a verdict'],
  ['compare before.json after.json', 'with a verdict that counts noise'],
];

function examplesText(): string {
  const lines = examples.flatMap(([command, what]) => [`  ${what}:`, `    ${typed(command)}`]);
  return `
Examples:
${lines.join('\n')}

It writes below TARGET/vast-ost-bench-<id>/ alone and removes exactly that, also when it is interrupted.
Credentials of a bucket are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. docs/bench.md has the rest.
`;
}

function addRun(
  program: Command,
  does: (work: () => Promise<number>) => Promise<void>,
  given: readonly string[],
  io: BenchIo,
): void {
  program
    .command('run', { isDefault: true })
    .description('measure, beside floors and other programs, and write JSON, CSV and HTML')
    .option(
      '--target <place>',
      "directory, or 's3://bucket/prefix?endpoint=URL[&region=…][&ca=FILE]'; else a directory of the checkout, or null servers",
    )
    .option('--store <kind>', 'file or s3; s3 without a bucket as target: null servers on loopback')
    .option('--block <mib,…>', 'block_size_mb of the engine (64)')
    .option('--streams <n,…>', 'jobs at the same time, a process each (1,4,16; s3: 1,4)')
    .option('--size <mib>', 'of each image; else by the number of streams')
    .option(
      '--mode <mode,…>',
      'io-only, sums, default; the first one has a twin for the A/A error (default,io-only,sums)',
    )
    .option('--workloads <name,…>', 'write, restore, small-images, control …; else all')
    .option('--alternations <n>', 'rounds that count (7; with --quick 2); from 6 on an interval covers 95 %')
    .option('--warm-ups <n>', 'rounds before them (1)')
    .option('--quick', 'small images, few rounds: for a look, not for a claim')
    .option(
      '--dedup <ratio>',
      'data that a store can deduplicate so; 1: every MiB is new. Else 64 MiB serve all images',
    )
    .option('--compress <ratio>', 'data that can be compressed so; 1: not at all')
    .option('--seed <n>', 'of the data (1)')
    .option('--max-minutes <n>', 'end then, with what was measured until then')
    .option('--max-gb <n>', 'on the target at a time, at most (10^9 bytes)')
    .option(
      '--disk-rate <gb/s>',
      'hold the disk to that rate, each way: for one that changes its own (root, cgroup v1)',
    )
    .option('--out <dir>', 'where the results are written (bench/results of a checkout, else the working directory)')
    .option('--start-at <time>', '2026-12-01T20:00:00Z or +SECONDS: begin then, for runs on several media servers')
    .option('--soak <hours>', 'rounds of backup, verified restore and delete for so long; a verdict at the end')
    .option(
      '--set <section.key=value>',
      'setting of the engines of write and restore; may be given again',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option(
      '--peers <name,…>',
      `of the other programs these alone: ${peerNames.join(', ')}; else all that are installed`,
    )
    .option('--no-peers', 'without other programs')
    .option('--macro-only', 'whole jobs alone')
    .option('--micro-only', 'parts alone')
    .addHelpText('after', examplesText())
    .action((options: unknown) =>
      does(async () => (await import('./run.ts')).runBench(runOptions(options), given, io)),
    );
}

function addFiles(program: Command, does: (work: () => Promise<number>) => Promise<void>, io: BenchIo): void {
  program
    .command('compare')
    .argument('<a>', 'result (JSON) of before')
    .argument('<b>', 'result of after')
    .description('what differs between two results, with a verdict that counts noise')
    .addHelpText(
      'after',
      `
Exit status:
  0  every row of an engine has a verdict, and none is slower
  1  an engine's row is slower in B
  2  a file cannot be used, or no engine's row is in both
  3  none is slower, but some have no verdict; the reason stands in the row
docs/bench-result.md has what a verdict counts.`,
    )
    .action((a: string, b: string) => does(async () => (await import('../result/files.ts')).compareFiles(a, b, io)));
  program
    .command('merge')
    .argument('<files...>', 'results (JSON) of runs that were started together, one a media server')
    .requiredOption('--out <file>', 'the merged result')
    .description('one result of several media servers')
    .action((files: string[], { out }: { out: string }) =>
      does(async () => {
        (await import('../result/files.ts')).mergeFiles(files, out, io);
        return 0;
      }),
    );
}

function addReport(program: Command, does: (work: () => Promise<number>) => Promise<void>, io: BenchIo): void {
  program
    .command('report')
    .argument('<file>', 'result (JSON)')
    .option('--before <file>', 'a result to compare it with')
    .option('--out <file>', 'else beside the result, ending in .html')
    .description('the report of a result as one HTML file, which needs no network')
    .action((file: string, { before, out }: { before?: string; out?: string }) =>
      does(async () => {
        const { readResult } = await import('../result/read.ts');
        const path = out ?? `${file.replace(/\.json$/, '')}.html`;
        const { writeReport } = await import('../report/write.ts');
        writeReport(readResult(file), path, before === undefined ? null : readResult(before));
        io.out(`written: ${path}\n`);
        return 0;
      }),
    );
}

function addBudget(program: Command, does: (work: () => Promise<number>) => Promise<void>, io: BenchIo): void {
  program
    .command('budget')
    .description(
      'count what a block, a byte and an image cost, beside bench/budget.json; fails when a count is above its limit',
    )
    .option('--only <text>', 'runs whose names have this: parts, backup, "restore, default" …', '')
    .action(({ only }: { only: string }) => does(async () => (await import('../budget/run.ts')).runBudget(io, only)));
}

function addClean(program: Command, does: (work: () => Promise<number>) => Promise<void>, io: BenchIo): void {
  program
    .command('clean')
    .argument('<place>', "directory or 's3://bucket/prefix/vast-ost-bench-…?endpoint=URL' that a run left")
    .option('--force', 'also when it is of another machine')
    .description('remove what a run that is over left; nothing that no bench has made')
    .action((place: string, { force }: { force?: boolean }) =>
      does(async () => {
        await (await import('./clean.ts')).clean(place, force === true);
        io.out('removed\n');
        return 0;
      }),
    );
}

function addLimits(program: Command, does: (work: () => Promise<number>) => Promise<void>, io: BenchIo): void {
  program
    .command('limits')
    .description("plant bottlenecks and look whether the engine's own verdict names them")
    .option('--target <dir>', 'where images lie; else a directory of the checkout')
    .option('--only <name>', "part of a plant's name: 'slow disk', 'coordinator, 90', 'unplanted' …")
    .option('--rounds <n>', 'all of it so many times', '1')
    .option('--json <file>', 'write the rows there, too')
    .action((options: unknown) => does(async () => (await import('./limits.ts')).benchLimits(options, io)));
}

function addDiscard(
  program: Command,
  does: (work: () => Promise<number>) => Promise<void>,
  given: readonly string[],
  io: BenchIo,
): void {
  program
    .command('discard')
    .description('the engine without a device: orders, copies and sums alone; and the model of larger machines')
    .option('--block <mib,…>', 'block_size_mb of the engine, beside 64 (4,16)', '4,16')
    .option('--streams <n,…>', 'jobs at the same time, beside 1', '1,4,16')
    .option('--alternations <n>', 'rounds that count', '3')
    .option('--warm-ups <n>', 'rounds before them (1)')
    .option('--quick', 'fewer orders')
    .option('--out <dir>', 'where the results are written')
    .action((options: unknown) =>
      does(async () => (await import('./run.ts')).runDiscard(runOptions(options), given, io)),
    );
}

/** Runs a command line (without node and script); gives the exit code. Never throws for what a user can do. */
export async function runProgram(args: readonly string[], version: string, io: BenchIo): Promise<number> {
  let code = 0;
  const program = new Command('bench')
    .description('How fast is it, what limits it, is it better than the alternative: on any machine and storage')
    .version(version)
    .addHelpText('after', `\nThe options of a measurement: ${typed('run --help')}\n${examplesText()}`)
    .exitOverride()
    // What it refuses is told in one line, by `tell`.
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined });
  const does = async (work: () => Promise<number>): Promise<void> => {
    code = await work();
  };
  addRun(program, does, args, io);
  addFiles(program, does, io);
  addReport(program, does, io);
  addLimits(program, does, io);
  addDiscard(program, does, args, io);
  addBudget(program, does, io);
  addClean(program, does, io);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    return tell(error, program, args, io);
  }
  return code;
}

/** In commander's words, with the command that was meant: `run` is the default, and takes what is no command for its own. */
function refused({ code, message }: CommanderError, program: Command, args: readonly string[]): string {
  const names = program.commands.map((command) => command.name());
  const [first = ''] = args;
  if (code === 'commander.excessArguments' && !first.startsWith('-') && !names.includes(first))
    return `unknown command '${first.slice(0, 40)}': there are ${names.join(', ')}; see ${typed('--help')}`;
  const command = names.includes(first) ? first : 'run';
  return `${message.replace(/^error: |\.$/g, '').replaceAll(/\s+/g, ' ')}; see ${typed(`${command} --help`)}`;
}

function tell(error: unknown, program: Command, args: readonly string[], io: BenchIo): number {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) io.fail(refused(error, program, args));
    return error.exitCode === 0 ? 0 : usageCode;
  }
  if (error instanceof BenchError) {
    io.fail(error.message);
    return error.code;
  }
  // Before there was a run that could have a result.
  if (error instanceof CutShort) {
    io.fail(`ended early: ${error.message}; nothing was measured until then, no result is written`);
    return error.code || 1;
  }
  if (error instanceof ResultFileError) {
    io.fail(error.message);
    return usageCode;
  }
  throw error;
}
