/** The commands of `vast-ost` and their options. What each does is in a file of its own. */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../engine/config.ts';
import { CliError, type CliIo, exitCode } from './io.ts';

/** Runs one command line (without node and script) and returns the exit code. Never throws for what a user can do. */
export async function runCli(args: readonly string[], version: string, io: CliIo): Promise<number> {
  let code: number = exitCode.ok;
  const text: string[] = [];
  const program = new Command('vast-ost')
    .description('Looks at vast-ost: its configuration, its store, its running engine')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (part) => text.push(part), writeErr: (part) => io.fail(part.trimEnd()) });
  /** Commands are loaded when they run: none pays for another's imports. */
  const does = (run: () => Promise<number>) => async () => {
    code = await run();
  };
  const onStore = (command: Command) =>
    command
      .option('--config <file>', 'configuration to find the storage root by')
      .option('--server <name>', 'storage server of the configuration, else the default one')
      .option('--root <dir>', 'storage root, instead of the configured one');

  const check = program.command('check-config').argument('[file]', 'else $VAST_OST_CONF, else the default place');
  check
    .description('print the configuration in force, or all that is wrong with it')
    .action((file) => does(async () => (await import('./check-config.ts')).checkConfig(file ?? null, io))());

  program
    .command('init-store')
    .argument('[dir]', 'where the storage is mounted')
    .option('--server <name>', 'the bucket of [server:NAME] instead of a directory')
    .option('--config <file>', 'configuration to find it by')
    .description('make a directory, or a bucket with its prefix, a storage root')
    .action((dir, options) => does(() => initRoot(dir, options, io))());

  program
    .command('probe')
    .argument('<server>', 'NAME of [server:NAME] with store = s3')
    .option('--config <file>', 'configuration to find it by')
    .option('--out <file>', 'write the passport there')
    .option('--diff <file>', 'compare with the passport there; status 1 when they differ')
    .option('--json', 'as JSON')
    .description('ask S3 endpoints what they really do: their passport; needs no engine')
    .action((server, options) => does(async () => (await import('./probe.ts')).probeServer(server, options, io))());

  program
    .command('gc')
    .argument('<server>', 'NAME of [server:NAME] with store = s3')
    .option('--config <file>', 'configuration to find it by')
    .option('--dry-run', 'only tell what would go')
    .option('--older-than <age>', 'what tells nothing of its owner goes from this age on (default: 1d)')
    .option('--json', 'one JSON object a line')
    .description('remove from a bucket what no image owns; needs no engine')
    .action((server, options) => does(async () => (await import('./gc.ts')).collectGarbage(server, options, io))());

  const status = program.command('status').option('--config <file>', 'configuration to find the socket by');
  status
    .option('--socket <path>', 'socket of the engine, instead of the configured one')
    .option('--json', 'as JSON')
    .description('show what the running engine does')
    .action((options) => does(async () => (await import('./status.ts')).engineStatus(options, io))());

  program
    .command('why')
    .argument('[job]', "a job's name, or an image's; else the last jobs, one line each")
    .option('--config <file>', 'configuration to find socket and log by')
    .option('--socket <path>', 'socket of the engine, instead of the configured one')
    .option('--log <file>', 'only this log of an engine')
    .option('--json', 'as JSON')
    .description('tell where the time of a finished job went, what limited it and what to change')
    .action((job, options) => does(async () => (await import('./why.ts')).whyJob(job, options, io))());

  onStore(program.command('ls'))
    .option('--lsu <name>', 'of this LSU only')
    .option('--pending', 'pending and damaged images only')
    .option('--older-than <age>', 'last changed longer ago, such as 7d or 12h')
    .option('--json', 'one JSON object a line')
    .description('list images; needs no engine')
    .action((options) => does(async () => (await import('./ls.ts')).listStore(options, io))());

  onStore(program.command('show').argument('<lsu>').argument('<image>', 'name, or name~date'))
    .option('--date <seconds>', 'date of the image, seconds since 1970')
    .option('--json', 'as JSON')
    .description('show what is known of an image; needs no engine')
    .action((lsu, image, options) =>
      does(async () => (await import('./show.ts')).showImage(lsu, image, options, io))(),
    );

  onStore(program.command('cat').argument('<lsu>').argument('<image>', 'name, or name~date'))
    .option('--date <seconds>', 'date of the image, seconds since 1970')
    .description('write an image to standard output, verified; needs no engine')
    .action((lsu, image, options) => does(async () => (await import('./cat.ts')).catImage(lsu, image, options, io))());

  program
    .command('bench')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .description('measure this machine and storage beside floors and other programs: vast-ost bench --help')
    .action(() => does(async () => (await import('./bench.ts')).bench(args.slice(1), io))());

  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    code = tell(error, io);
  }
  if (text.length > 0) await io.out(text.join(''));
  return code;
}

async function initRoot(
  dir: string | undefined,
  { server, config }: { server?: string; config?: string },
  io: CliIo,
): Promise<number> {
  if ((dir === undefined) === (server === undefined))
    throw new CliError('init-store needs a directory, or --server', exitCode.usage);
  if (server !== undefined) return (await import('./init-bucket.ts')).initBucket(server, { config }, io);
  return (await import('./init-store.ts')).initStore(dir ?? '', io);
}

function tell(error: unknown, io: CliIo): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  if (error instanceof CliError) {
    io.fail(`vast-ost: ${error.message}`);
    return error.code;
  }
  if (error instanceof ConfigError) {
    for (const line of error.message.split('\n')) io.fail(line);
    return exitCode.failed;
  }
  // The reader of a pipe went away: it has what it wanted.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return exitCode.failed;
  throw error;
}
