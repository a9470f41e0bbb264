/**
 * `npm run demo` (bin/demo in a package): the main job on real files of this machine, from beginning to end.
 *
 *   npm run demo -- [DIRECTORY]      where it may work; default: out/demo in the checkout, $TMPDIR or /var/tmp else
 *
 * Several backup streams at once, each a process of its own, write tar streams through the plug-in; every image is then
 * restored and compared with what went in, byte for byte.
 */
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { firstDifference } from './demo/compare.ts';
import { Engine, runOnce, writeConfig } from './demo/engine.ts';
import { places, treeTops } from './demo/places.ts';
import { type Job, type JobResult, runJobs } from './demo/streams.ts';
import { megabytes, table } from './demo/table.ts';
import { findTrees, type Tree } from './demo/trees.ts';
import { top } from './steps.ts';

const streams = 4;
const bytesEach = 96 * 1024 * 1024;
const server = 'VastData:demo';
const lsu = 'demo-lsu';
const markFile = '.vast-ost-demo';

const where = places();
const say = (text = ''): void => void process.stdout.write(`${text}\n`);

/** The directory to work in, empty but for what an earlier demo left, which goes. */
function workDirectory(asked: string | undefined): string {
  const inCheckout = process.env.VAST_OST_PACKAGE === undefined && writable(top);
  const fallback = join(process.env.TMPDIR ? tmpdir() : '/var/tmp', `vast-ost-demo-${process.getuid?.()}`);
  const dir = resolve(asked ?? (inCheckout ? join(top, 'out', 'demo') : fallback));
  mkdirSync(dir, { recursive: true });
  const there = readdirSync(dir);
  if (there.length > 0 && !there.includes(markFile)) {
    throw new Error(`${dir} is not empty and no earlier demo's: give an empty directory`);
  }
  for (const name of there) rmSync(join(dir, name), { recursive: true, force: true });
  writeFileSync(join(dir, markFile), 'Made by the vast-ost demo; its next run removes all that is here.\n');
  const free = statfsSync(dir);
  if (free.bavail * free.bsize < 4 * streams * bytesEach) {
    throw new Error(
      `${dir} has ${megabytes(free.bavail * free.bsize)} MB free, the demo wants ${megabytes(4 * streams * bytesEach)}`,
    );
  }
  return dir;
}

function writable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

interface Item {
  tree: Tree;
  source: string;
  restored: string;
  bytes: number;
}

/** The tar streams are kept as files, so that what comes back can be compared with what went in. */
function makeTar(dir: string, tree: Tree): Item {
  const [source, list] = [join(dir, 'source', `${tree.name}.tar`), join(dir, 'source', `${tree.name}.list`)];
  writeFileSync(list, `${tree.files.map((path) => path.slice(1)).join('\n')}\n`);
  execFileSync('tar', ['-cf', source, '-C', '/', '-T', list], { stdio: ['pipe', 'pipe', 'pipe'] });
  rmSync(list);
  return { tree, source, restored: join(dir, 'restored', `${tree.name}.tar`), bytes: statSync(source).size };
}

/** Path of the directory that holds an image's files. */
function imageDirectory(root: string, image: string): string {
  const lsuDirectory = join(root, lsu);
  const found = readdirSync(lsuDirectory).find((name) => name.startsWith(`${image}~`));
  if (found === undefined) throw new Error(`no image ${image} below ${lsuDirectory}`);
  return join(lsuDirectory, found);
}

interface Meta {
  checksum: string | null;
  size: number;
}

function readMeta(root: string, image: string): Meta {
  return JSON.parse(readFileSync(join(imageDirectory(root, image), 'image.meta'), 'utf8')) as Meta;
}

/** One image's meta as it lies on storage, and coreutils' sha256sum over its data beside it. */
function showMeta(root: string, image: string): boolean {
  const dir = imageDirectory(root, image);
  say(`$ cat ${join(dir, 'image.meta')}`);
  say(readFileSync(join(dir, 'image.meta'), 'utf8').trim());
  say(`$ sha256sum ${join(dir, 'image.data')}`);
  const line = execFileSync('sha256sum', [join(dir, 'image.data')], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  }).trim();
  say(line);
  const agrees = readMeta(root, image).checksum === `sha256:${line.split(' ')[0]}`;
  say(agrees ? 'The two agree.' : 'THE TWO DO NOT AGREE.');
  return agrees;
}

const dir = workDirectory(process.argv[2]);
for (const name of ['source', 'restored', 'store']) mkdirSync(join(dir, name));
const root = join(dir, 'store');
const config = join(dir, 'vast-ost.conf');
const log = join(dir, 'engine.log');
// A socket's path is at most 107 bytes; a deep checkout would exceed that.
const socketHere = join(dir, 'engine.sock');
const socket = Buffer.byteLength(socketHere) < 100 ? socketHere : join('/var/tmp', `vast-ost-demo-${process.pid}.sock`);

say('Reading real files of this machine into tar streams …');
const trees = findTrees(treeTops(where.ownTree), { streams, bytesEach });
const items = trees.map((tree) => makeTar(dir, tree));
const total = items.reduce((sum, { bytes }) => sum + bytes, 0);
for (const { tree, bytes } of items) say(`  ${tree.name}: ${tree.files.length} files, ${megabytes(bytes)} MB`);

const initialized = await runOnce(process.execPath, [where.cliMain, 'init-store', root]);
if (!initialized.ok) throw new Error(`init-store failed: ${initialized.text}`);
writeConfig({ config, root, socket, log });
const engine = await Engine.start(where.engineMain, config);
process.once('SIGINT', () => void engine.stop().then(() => process.exit(130)));
process.once('SIGTERM', () => void engine.stop().then(() => process.exit(143)));
say(`Engine started (pid ${engine.pid}), storage root ${root}.`);

const env: NodeJS.ProcessEnv = { ...process.env, VAST_OST_CONF: config };
delete env.LD_LIBRARY_PATH; // of the Node in a package: the host program needs libc only
const date = Math.floor(Date.now() / 1000);
const key = (item: Item): string[] => [
  '--server',
  server,
  '--lsu',
  lsu,
  '--image',
  item.tree.name,
  '--date',
  `${date}`,
];
const jobs = (args: (item: Item) => string[], withInput: boolean): Job[] =>
  items.map((item) => ({
    name: item.tree.name,
    bytes: item.bytes,
    args: args(item),
    input: withInput ? item.source : null,
  }));

interface Phase {
  results: JobResult[];
  seconds: number;
  engineCpu: number;
}

async function phase(label: string, list: Job[], field: 'rchar' | 'wchar'): Promise<Phase> {
  const [began, cpu] = [performance.now(), engine.cpuSeconds()];
  const results = await runJobs(label, where.hostProgram, list, field, env);
  return { results, seconds: (performance.now() - began) / 1000, engineCpu: engine.cpuSeconds() - cpu };
}

let failed = false;
try {
  const made = await runOnce(where.hostProgram, ['create-lsu', '--config', config, '--server', server, '--lsu', lsu]);
  if (!made.ok) throw new Error(`create-lsu failed: ${made.text}`);
  const origin = ['--policy', 'demo', '--schedule', 'full', '--client', 'this-machine'];
  const backup = await phase(
    'backup ',
    jobs((item) => ['backup', ...key(item), ...origin], true),
    'rchar',
  );
  const restore = await phase(
    'restore',
    jobs((item) => ['restore', ...key(item), '--output', item.restored], false),
    'wchar',
  );

  const rows = items.map((item, i) => {
    const difference = firstDifference(item.source, item.restored);
    failed ||= difference !== null;
    const [wrote, read] = [backup.results[i], restore.results[i]];
    const checksum = readMeta(root, item.tree.name).checksum ?? 'none';
    return [
      item.tree.name,
      megabytes(item.bytes),
      wrote.seconds.toFixed(2),
      wrote.gb_per_s.toFixed(2),
      wrote.cpu_s_per_gb.toFixed(2),
      read.seconds.toFixed(2),
      read.gb_per_s.toFixed(2),
      read.cpu_s_per_gb.toFixed(2),
      `${checksum.slice(0, 19)}…`,
      difference === null ? 'identical' : `DIFFERS at byte ${difference}`,
    ];
  });
  rows.push(sumRow(backup, restore, failed));
  say();
  say(
    table(
      ['image', 'MB', 'write s', 'GB/s', 'host CPU-s/GB', 'read s', 'GB/s', 'host CPU-s/GB', 'checksum', 'restored'],
      rows,
    ),
  );
  const perGb = ({ engineCpu }: Phase): string => (engineCpu / (total / 1e9)).toFixed(2);
  say();
  say(
    `Engine, all streams together: ${perGb(backup)} CPU-s/GB while writing (SHA-256 and CRC-64 of every byte), ${perGb(restore)} while reading (CRC-64 of every byte).`,
  );
  say();
  failed = !showMeta(root, items[0].tree.name) || failed;
} finally {
  const how = await engine.stop();
  if (how !== 'code 0') say(`The engine ended with ${how}; its log: ${log}`);
  failed ||= how !== 'code 0';
}

function sumRow(backup: Phase, restore: Phase, anyDiffers: boolean): string[] {
  const cpu = ({ results }: Phase): string =>
    (results.reduce((sum, result) => sum + result.cpu_s_per_gb * result.bytes, 0) / total).toFixed(2);
  const cells = (one: Phase): string[] => [one.seconds.toFixed(2), (total / 1e9 / one.seconds).toFixed(2), cpu(one)];
  return [
    'together',
    megabytes(total),
    ...cells(backup),
    ...cells(restore),
    '',
    anyDiffers ? 'NOT ALL' : 'all identical',
  ];
}

for (const name of ['source', 'restored']) rmSync(join(dir, name), { recursive: true });
say(`
The images stay in ${join(root, lsu)}.

Now a file of your own. Start the engine on this storage root, and leave it running:

  ${where.typed.engine} --config ${config}

In another shell, back up a file, list, restore:

  export VAST_OST_CONF=${config}
  ${where.typed.host} backup --server ${server} --lsu ${lsu} --image my-file YOUR-FILE
  ${where.typed.host} list --server ${server} --lsu ${lsu}
  ${where.typed.host} restore --server ${server} --lsu ${lsu} --image my-file --output restored-file
  ${where.typed.cli} status --config ${config}
`);
if (failed) say('FAILED: see above.');
else say(`Done: ${items.length} images, ${megabytes(total)} MB, every one restored identical.`);
process.exitCode = failed || !existsSync(root) ? 1 : 0;
