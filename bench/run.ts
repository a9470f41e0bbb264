/**
 * npm run bench [-- --store file|s3] [--quick] [--alternations N] [--streams 1,4,16] [--target DIR]
 *                   [--size MIB] [--macro-only | --micro-only] [--no-peers]
 *
 * --size: bytes of each image, MiB; else by the number of streams. What an image costs once weighs less in longer ones.
 *
 * Ratios are medians over alternations of the ratio within one. The first alternation warms up and does not count.
 * Writes bench/results/<time>.json (schema v1, bench/result.ts).
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { controlRoundTrip } from './control.ts';
import { digestAlone } from './digest-floor.ts';
import { fileRows } from './file-store.ts';
import { printReport } from './report.ts';
import { type Result, resultSchema } from './result.ts';
import { s3Rows } from './s3/rows.ts';
import { smallImages } from './small-images.ts';
import { floor } from './subjects.ts';

const { values } = parseArgs({
  options: {
    store: { type: 'string' },
    quick: { type: 'boolean' },
    alternations: { type: 'string' },
    streams: { type: 'string' },
    size: { type: 'string' },
    target: { type: 'string' },
    'macro-only': { type: 'boolean' },
    'micro-only': { type: 'boolean' },
    'no-peers': { type: 'boolean' },
  },
});
const project = join(import.meta.dirname, '..');
const store = values.store ?? 'file';
if (store !== 'file' && store !== 's3') throw new Error(`--store ${store}: file or s3`);
const alternations = Number(values.alternations ?? (values.quick ? 2 : 7));
const streamCounts = (values.streams ?? (store === 's3' ? '1,4' : '1,4,16')).split(',').map(Number);
const sizeMib = values.size === undefined ? null : Number(values.size);
if (sizeMib !== null && !(Number.isInteger(sizeMib) && sizeMib > 0)) throw new Error(`--size ${values.size}: MiB`);
const mib = 1 << 20;
/** Images: of two floors and six engines; a file of a peer's, and its copy. */
const keptAtOnce = 10;
const memoryShare = 0.9;

function bytesPerStream(streams: number): number {
  if (sizeMib !== null) return sizeMib * mib;
  if (store === 's3') return Math.floor((values.quick ? 512 : 2048) / streams) * mib;
  if (values.quick) return Math.max(128 * mib, Math.floor(512 / streams) * mib);
  // Long enough that the first slot, which fills while the device waits, is a small part of each image.
  return streams === 1 ? 6144 * mib : streams <= 4 ? 2048 * mib : 512 * mib;
}

function mountOf(directory: string): Result['conditions']['directory'] {
  const { status, stdout } = spawnSync('findmnt', ['-n', '-o', 'FSTYPE,TARGET,OPTIONS', '-T', directory], {
    encoding: 'utf8',
  });
  const [fsType = 'unknown', mountPoint = '', options = ''] = status === 0 ? stdout.trim().split(/\s+/) : [];
  return { fsType, mountPoint, options };
}

function checkSpace(directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  const need = Math.max(...streamCounts.map((streams) => streams * bytesPerStream(streams)));
  if (bavail * bsize < need * 1.1) {
    throw new Error(
      `${directory} has ${(bavail * bsize) / 1e9} GB free, the bench needs ${need / 1e9}: use --target, --quick or --streams 1`,
    );
  }
}

/** The null server keeps an image of each subject in memory, and peers have files there: out of it, everything stands. */
function checkMemory(): void {
  const need = keptAtOnce * Math.max(...streamCounts.map((streams) => streams * bytesPerStream(streams)));
  if (need > totalmem() * memoryShare) {
    throw new Error(
      `what the null server keeps needs ${need / 1e9} GB of memory, this machine has ${totalmem() / 1e9} GB: lower --size`,
    );
  }
}

/** What the store in question has; small images and control calls are measured on the file store. */
async function macro(directory: string): Promise<Pick<Result, 'rows' | 'small' | 'control' | 'stalls'>> {
  const rounds = { bytes: bytesPerStream, alternations };
  if (store === 's3') {
    const { rows, stalls, missingPeers } = await s3Rows(directory, streamCounts, {
      ...rounds,
      peers: values['no-peers'] !== true,
    });
    if (missingPeers.length > 0) process.stdout.write(`peers left out: ${missingPeers.join(', ')}\n`);
    return { rows, stalls, small: null, control: null };
  }
  const rows = await fileRows(directory, streamCounts, rounds);
  return {
    rows,
    small: await smallImages(directory, alternations),
    control: await controlRoundTrip(directory),
  };
}

async function main(): Promise<void> {
  const started = new Date();
  execFileSync('make', ['-s', '-C', join(project, 'bench/native')], { stdio: 'inherit' });
  const base = values.target ?? join(project, 'build');
  mkdirSync(base, { recursive: true });
  if (!values['micro-only'] && store === 'file') checkSpace(base);
  if (!values['micro-only'] && store === 's3') checkMemory();
  const directory = mkdtempSync(join(base, 'bench-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('SIGINT', () => {
    remove();
    process.exit(130);
  });
  try {
    if (!values['macro-only']) await import('./micro.ts').then(({ micro }) => micro());
    if (values['micro-only']) return;
    const loadBefore = loadavg()[0] ?? 0;
    const copy = floor(['memcpy', 20_000_000_000]);
    const measured = await macro(directory);
    const fio = spawnSync('fio', ['--version'], { encoding: 'utf8' });
    const result: Result = resultSchema.parse({
      schema: 'vast-ost-bench/1',
      store,
      startedAt: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
      conditions: {
        cpu: cpus()[0]?.model ?? 'unknown',
        cores: cpus().length,
        memoryBytes: totalmem(),
        kernel: release(),
        node: process.version,
        engine: process.env.npm_package_version ?? '0.1.0',
        directory: mountOf(directory),
        alternations,
        loadBefore,
        fio: fio.status === 0 ? fio.stdout.trim() : null,
      },
      memcpyBytesPerSecond: copy.bytes / copy.seconds,
      digestBytesPerSecond: digestAlone(),
      ...measured,
    });
    printReport(result);
    const results = join(project, 'bench/results');
    mkdirSync(results, { recursive: true });
    const file = join(results, `${started.toISOString().replaceAll(/[:.]/g, '-')}.json`);
    writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
    process.stdout.write(`\nwritten: bench/results/${file.split('/').at(-1)}\n`);
  } finally {
    remove();
  }
}

await main();
