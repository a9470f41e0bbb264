/**
 * `npm run demo` (bin/demo in a package): the main job on real files of this machine, from beginning to end, on files and
 * in a bucket.
 *
 *   npm run demo -- [DIRECTORY]      where it may work; default: out/demo in the checkout, else $TMPDIR or /var/tmp
 *   npm run demo -- --help           how to name an S3 service of your own
 *
 * Several backup streams at once, each a process of its own, write tar streams through the plug-in; every image is then
 * restored and compared with what went in, byte for byte.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bucketSection, type DemoBucket, ownBucket, section, startTestEndpoint } from './demo/bucket.ts';
import { runOnce, writeConfig } from './demo/engine.ts';
import { farewell } from './demo/farewell.ts';
import { type DemoOptions, readOptions, usage } from './demo/options.ts';
import { places, treeTops } from './demo/places.ts';
import { allIdentical, type Item, itemOf, reportTable, runStore, type StoreRun } from './demo/store-run.ts';
import { checksumByOthers, storedChecksum } from './demo/stored.ts';
import { StoredObjects } from './demo/stored-objects.ts';
import { megabytes } from './demo/table.ts';
import { findTrees, type Tree } from './demo/trees.ts';
import { type WorkFiles, workDirectory } from './demo/work-directory.ts';
import { Engine } from './programs/engine.ts';
import { stopAll, stopAllOnSignals, wasInterrupted } from './programs/running.ts';
import { top } from './steps.ts';

const streams = 4;
const bytesEach = 64 * 1024 * 1024;
/** Of the same streams: a test endpoint in JavaScript takes its time. */
const bucketStreams = 2;
const onFiles = { title: 'files', server: 'VastData:demo', lsu: 'demo-lsu' };
const inBucket = { title: 'bucket', server: `VastData:${section}`, lsu: 'bucket-lsu' };
/** Of every image: seconds since 1970, part of its key. */
const date = Math.floor(Date.now() / 1000);

const where = places();
const say = (text = ''): void => void process.stdout.write(`${text}\n`);

function makeTar(files: WorkFiles, tree: Tree): Item {
  const [source, list] = [join(files.source, `${tree.name}.tar`), join(files.source, `${tree.name}.list`)];
  writeFileSync(list, `${tree.files.map((path) => path.slice(1)).join('\n')}\n`);
  execFileSync('tar', ['-cf', source, '-C', '/', '-T', list], { stdio: ['pipe', 'pipe', 'pipe'] });
  rmSync(list);
  const item = itemOf(tree.name, source);
  say(`  ${item.name}: ${tree.files.length} files, ${megabytes(item.bytes)} MB`);
  return item;
}

/** Throws what it said when it failed. */
async function must(command: string, args: string[]): Promise<string> {
  const { ok, text } = await runOnce(command, args);
  if (!ok) throw new Error(`${args.find((arg) => !arg.startsWith('/')) ?? command} failed: ${text}`);
  return text;
}

const cli = (args: string[]): Promise<string> => must(process.execPath, [where.cliMain, ...args]);
const host = (files: WorkFiles, command: string, { server, lsu }: typeof onFiles, args: string[] = []) =>
  must(where.hostProgram, [command, '--config', files.config, '--server', server, '--lsu', lsu, ...args]);

async function findBucket(files: WorkFiles, { endpoint }: DemoOptions): Promise<DemoBucket | null> {
  if (endpoint !== null) return ownBucket(endpoint, date);
  return where.testEndpoint === null ? null : startTestEndpoint(where.testEndpoint, files.dir);
}

/** Makes the bucket a storage root, and tells what its endpoints do. */
async function prepareBucket(files: WorkFiles, bucket: DemoBucket): Promise<void> {
  const kind = bucket.testPort === null ? '' : ', a test endpoint of this checkout, as a process of its own';
  say(`S3 endpoint ${bucket.endpoints}${kind}`);
  say((await cli(['init-store', '--server', section, '--config', files.config])).trimEnd());
  const told = await cli(['probe', section, '--config', files.config]);
  say(`$ vast-ost probe ${section}      how the bytes are kept safe there:`);
  for (const line of told.slice(told.indexOf('\n\n')).trim().split('\n')) say(`  ${line}`);
}

/** What lies in the bucket, seen by an S3 client that is not ours; false when it is not what went in. */
async function lookIntoBucket(
  bucket: DemoBucket,
  run: StoreRun,
): Promise<{ checksums: (string | null)[]; look: () => Promise<boolean> }> {
  const objects = new StoredObjects(bucket);
  const images = run.items.map(({ name }) => `${name}~${date}`);
  const checksums = await Promise.all(images.map((image) => objects.checksum(inBucket.lsu, image)));
  const look = async (): Promise<boolean> => {
    say('\nWhat lies in the bucket, listed by the AWS SDK:\n');
    say(`${await objects.list()}\n`);
    const { lines, agrees } = await objects.compareChecksum(inBucket.lsu, images[0]);
    for (const line of lines) say(line);
    objects.close();
    return agrees;
  };
  return { checksums, look };
}

function explain(bucket: DemoBucket | null): void {
  say(
    'host, engine: CPU seconds for a GB, of the host program with the plug-in in it, and of the engine; together: of the',
  );
  say('whole engine process. Writing computes CRC-64 and SHA-256 of every byte, reading verifies the CRC-64.');
  if (bucket === null) {
    say('Left out: the bucket. A package carries no S3 endpoint; name one of yours, see below.');
  } else if (bucket.testPort !== null) {
    say(
      'The rates of the bucket are those of its endpoint, a strict server for tests: one thread of JavaScript on this very',
    );
    say('machine that verifies every signature and byte. They say nothing of the product, nor of any storage.');
  }
  say();
}

async function demo(options: DemoOptions): Promise<boolean> {
  const checkout = process.env.VAST_OST_PACKAGE === undefined ? top : null;
  const files = workDirectory(options.directory, checkout, 4 * streams * bytesEach);
  say('Reading real files of this machine into tar streams …');
  const items = findTrees(treeTops(where.ownTree), { streams, bytesEach }).map((tree) => makeTar(files, tree));
  const [bucket] = await Promise.all([findBucket(files, options), cli(['init-store', files.root])]);
  writeConfig(files, bucket === null ? '' : bucketSection(bucket));
  if (bucket !== null) await prepareBucket(files, bucket);

  const engine = await Engine.start({ main: where.engineMain, config: files.config });
  say(`Engine started (pid ${engine.pid}), storage root ${files.root}`);
  const env: NodeJS.ProcessEnv = { ...process.env, VAST_OST_CONF: files.config };
  delete env.LD_LIBRARY_PATH; // for the Node of a package; the host program needs libc only
  const run = { hostProgram: where.hostProgram, engine, env, date, restored: files.restored };

  await host(files, 'create-lsu', onFiles);
  const runs = [{ run: await runStore(onFiles, items, run), checksums: [] as (string | null)[] }];
  runs[0].checksums = items.map(({ name }) => storedChecksum(join(files.root, onFiles.lsu), name));
  let look = async (): Promise<boolean> => true;
  if (bucket !== null) {
    await host(files, 'create-lsu', inBucket);
    const bucketRun = await runStore(inBucket, items.slice(0, bucketStreams), run);
    const seen = await lookIntoBucket(bucket, bucketRun);
    runs.push({ run: bucketRun, checksums: seen.checksums });
    look = seen.look;
  }
  const lists = bucket === null ? [onFiles] : [onFiles, inBucket];
  const listed = await Promise.all(lists.map((store) => host(files, 'list', store, ['--details'])));
  const ended = await engine.stop();
  if (ended !== 'code 0') say(`The engine ended with ${ended}; its log: ${files.log}\n${engine.words()}`);

  say(`\n${reportTable(runs, files.log, date)}\n`);
  explain(bucket);
  for (const [i, text] of listed.entries())
    say(`$ vast-ost-host list --server ${lists[i].server} --lsu ${lists[i].lsu} --details\n${text}`);
  const { lines, agrees } = checksumByOthers(join(files.root, onFiles.lsu), items[0].name);
  for (const line of lines) say(line);
  const well = [runs.every((one) => allIdentical(one.run)), agrees, await look(), ended === 'code 0'].every(Boolean);
  await bucket?.stop();
  for (const dir of [files.source, files.restored]) rmSync(dir, { recursive: true });
  say();
  for (const line of farewell(where, {
    files,
    server: onFiles.server,
    lsu: onFiles.lsu,
    bucketLsu: inBucket.lsu,
    date,
    bucket,
  }))
    say(line);
  const images = runs.reduce((sum, one) => sum + one.run.items.length, 0);
  say(well ? `Done: ${images} images, every one restored identical.` : 'FAILED: see above.');
  return well;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    say(usage);
    return 0;
  }
  return (await demo(options)) ? 0 : 1;
}

stopAllOnSignals();
main()
  .catch((error: unknown) => {
    if (!wasInterrupted()) process.stderr.write(`demo: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  })
  .then(async (code) => {
    await stopAll();
    if (!wasInterrupted()) process.exit(code);
  });
