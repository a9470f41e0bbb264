/**
 * `npm run demo` (bin/demo in a package): the main job on real files of this machine, from beginning to end.
 *
 *   npm run demo -- [DIRECTORY]      where it may work; default: out/demo in the checkout, else $TMPDIR or /var/tmp
 *
 * Several backup streams at once, each a process of its own, write tar streams through the plug-in; every image is then
 * restored and compared with what went in, byte for byte.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstDifference } from './demo/compare.ts';
import { Engine, runOnce, writeConfig } from './demo/engine.ts';
import { engineAccount } from './demo/engine-log.ts';
import { places, treeTops } from './demo/places.ts';
import { checksumByOthers, storedChecksum } from './demo/stored.ts';
import { type Job, type JobResult, runJobs } from './demo/streams.ts';
import { megabytes, table } from './demo/table.ts';
import { findTrees, type Tree } from './demo/trees.ts';
import { type WorkFiles, workDirectory } from './demo/work-directory.ts';
import { top } from './steps.ts';

const streams = 4;
const bytesEach = 96 * 1024 * 1024;
const server = 'VastData:demo';
const lsu = 'demo-lsu';
/** Of every image: seconds since 1970, part of its key. */
const date = Math.floor(Date.now() / 1000);

const where = places();
const say = (text = ''): void => void process.stdout.write(`${text}\n`);

interface Item {
  name: string;
  source: string;
  restored: string;
  bytes: number;
}

/** The tar streams are kept as files, so that what comes back can be compared with what went in. */
function makeTar(files: WorkFiles, tree: Tree): Item {
  const [source, list] = [join(files.source, `${tree.name}.tar`), join(files.source, `${tree.name}.list`)];
  writeFileSync(list, `${tree.files.map((path) => path.slice(1)).join('\n')}\n`);
  execFileSync('tar', ['-cf', source, '-C', '/', '-T', list], { stdio: ['pipe', 'pipe', 'pipe'] });
  rmSync(list);
  const item = {
    name: tree.name,
    source,
    restored: join(files.restored, `${tree.name}.tar`),
    bytes: statSync(source).size,
  };
  say(`  ${item.name}: ${tree.files.length} files, ${megabytes(item.bytes)} MB`);
  return item;
}

interface Phase {
  results: JobResult[];
  seconds: number;
  /** CPU seconds of the whole engine meanwhile. */
  engineCpu: number;
}

/** All items at once: backup from their sources, or restore to their copies. */
async function runPhase(
  command: 'backup' | 'restore',
  items: Item[],
  engine: Engine,
  env: NodeJS.ProcessEnv,
): Promise<Phase> {
  const key = (item: Item): string[] => ['--server', server, '--lsu', lsu, '--image', item.name, '--date', `${date}`];
  const origin = ['--policy', 'demo', '--schedule', 'full', '--client', 'this-machine'];
  const jobs = items.map((item): Job => {
    const rest = command === 'backup' ? origin : ['--output', item.restored];
    const input = command === 'backup' ? item.source : null;
    return { name: item.name, bytes: item.bytes, args: [command, ...key(item), ...rest], input };
  });
  const [began, cpu] = [performance.now(), engine.cpuSeconds()];
  const counted = command === 'backup' ? 'rchar' : 'wchar';
  const results = await runJobs(command.padEnd(7), where.hostProgram, jobs, counted, env);
  return { results, seconds: (performance.now() - began) / 1000, engineCpu: engine.cpuSeconds() - cpu };
}

/** The table; false when anything that came back differs from what went in. */
function report(files: WorkFiles, items: Item[], backup: Phase, restore: Phase): boolean {
  const total = items.reduce((sum, { bytes }) => sum + bytes, 0);
  const number = (value: number | null): string => value?.toFixed(2) ?? '–';
  const one = ({ seconds, gb_per_s, cpu_s_per_gb }: JobResult, engine: number | null): string[] =>
    [seconds, gb_per_s, cpu_s_per_gb, engine].map(number);
  const all = ({ results, seconds, engineCpu }: Phase): string[] => {
    const hostCpu = results.reduce((sum, result) => sum + result.cpu_s_per_gb * result.bytes, 0) / 1e9;
    return [seconds, total / 1e9 / seconds, hostCpu / (total / 1e9), engineCpu / (total / 1e9)].map(number);
  };
  const differences = items.map(({ source, restored }) => firstDifference(source, restored));
  const rows = items.map(({ name, bytes }, i) => {
    const account = engineAccount(files.log, `${lsu}/${name}~${date}`);
    return [
      name,
      megabytes(bytes),
      ...one(backup.results[i], account.written),
      ...one(restore.results[i], account.read),
      `${(storedChecksum(join(files.root, lsu), name) ?? 'none').slice(0, 19)}…`,
      differences[i] === null ? 'identical' : `DIFFERS at byte ${differences[i]}`,
    ];
  });
  const identical = differences.every((difference) => difference === null);
  rows.push([
    'together',
    megabytes(total),
    ...all(backup),
    ...all(restore),
    '',
    identical ? 'all identical' : 'NOT ALL',
  ]);
  const columns = ['GB/s', 'host', 'engine'];
  const head = ['image', 'MB', 'write s', ...columns, 'read s', ...columns, 'checksum', 'restored'];
  say(`\n${table(head, rows)}\n`);
  say(
    'host, engine: CPU seconds for a GB, of the host program with the plug-in in it, and of the engine; together: of the',
  );
  say('whole engine process. Writing computes CRC-64 and SHA-256 of every byte, reading verifies the CRC-64.\n');
  return identical;
}

function farewell({ config, root }: WorkFiles): void {
  const image = `--server ${server} --lsu ${lsu} --image my-file --date ${date}`;
  say(`
The images stay in ${join(root, lsu)}.

Now a file of your own. Start the engine on this storage root, and leave it running:

  ${where.typed.engine} --config ${config}

In another shell, back up a file, look at it, restore it:

  export VAST_OST_CONF=${config}
  ${where.typed.host} backup ${image} YOUR-FILE
  ${where.typed.host} list --server ${server} --lsu ${lsu} --details
  ${where.typed.host} restore ${image} --output restored-file
  ${where.typed.cli} status
`);
}

async function demo(): Promise<boolean> {
  const checkout = process.env.VAST_OST_PACKAGE === undefined ? top : null;
  const files = workDirectory(process.argv[2], checkout, 4 * streams * bytesEach);
  say('Reading real files of this machine into tar streams …');
  const items = findTrees(treeTops(where.ownTree), { streams, bytesEach }).map((tree) => makeTar(files, tree));
  const initialized = await runOnce(process.execPath, [where.cliMain, 'init-store', files.root]);
  if (!initialized.ok) throw new Error(`init-store failed: ${initialized.text}`);
  writeConfig(files);

  const engine = await Engine.start(where.engineMain, files.config);
  const stopAndExit = (code: number) => (): void => void engine.stop().then(() => process.exit(code));
  process.once('SIGINT', stopAndExit(130));
  process.once('SIGTERM', stopAndExit(143));
  say(`Engine started (pid ${engine.pid}), storage root ${files.root}`);
  const env: NodeJS.ProcessEnv = { ...process.env, VAST_OST_CONF: files.config };
  delete env.LD_LIBRARY_PATH; // for the Node of a package; the host program needs libc only

  let phases: { backup: Phase; restore: Phase };
  let ended: string;
  try {
    const made = await runOnce(where.hostProgram, [
      'create-lsu',
      '--config',
      files.config,
      '--server',
      server,
      '--lsu',
      lsu,
    ]);
    if (!made.ok) throw new Error(`create-lsu failed: ${made.text}`);
    const backup = await runPhase('backup', items, engine, env);
    phases = { backup, restore: await runPhase('restore', items, engine, env) };
  } finally {
    ended = await engine.stop();
    if (ended !== 'code 0') say(`The engine ended with ${ended}; its log: ${files.log}\n${engine.words()}`);
  }
  const identical = report(files, items, phases.backup, phases.restore);
  const { lines, agrees } = checksumByOthers(join(files.root, lsu), items[0].name);
  for (const line of lines) say(line);
  const well = identical && agrees && ended === 'code 0';
  for (const dir of [files.source, files.restored]) rmSync(dir, { recursive: true });
  farewell(files);
  say(well ? `Done: ${items.length} images, every one restored identical.` : 'FAILED: see above.');
  return well;
}

demo().then(
  (well) => process.exit(well ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  },
);
