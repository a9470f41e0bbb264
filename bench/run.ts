/**
 * npm run bench [-- --quick] [--alternations N] [--streams 1,4,16] [--target DIR] [--macro-only | --micro-only]
 *
 * Paired and alternating: in every alternation each subject runs once, so that a machine that changes its speed changes
 * it for all. Ratios are medians over alternations of the ratio within one. The first alternation warms up and does not
 * count. Writes bench/results/<time>.json (schema v1, bench/result.ts).
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { controlRoundTrip } from './control.ts';
import { digestAlone } from './digest-floor.ts';
import { printReport } from './report.ts';
import { type Result, type Row, resultSchema } from './result.ts';
import { smallImages } from './small-images.ts';
import {
  EngineSubject,
  fioSubject,
  floor,
  floorSubject,
  modes,
  plainSubject,
  type Subject,
  startEngine,
} from './subjects.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    alternations: { type: 'string' },
    streams: { type: 'string' },
    target: { type: 'string' },
    'macro-only': { type: 'boolean' },
    'micro-only': { type: 'boolean' },
  },
});
const project = join(import.meta.dirname, '..');
const alternations = Number(values.alternations ?? (values.quick ? 2 : 7));
const streamCounts = (values.streams ?? '1,4,16').split(',').map(Number);
const mib = 1 << 20;

function bytesPerStream(streams: number): number {
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

async function macro(directory: string): Promise<Row[]> {
  const engines = await Promise.all(modes.map((mode, i) => startEngine(join(directory, `engine-${i}`), mode)));
  // The same engine twice: what differs between them is the error of the method.
  const own: Subject[] = engines.map((engine, i) => new EngineSubject(`engine, ${modes[i]?.name}`, engine));
  const first = engines[0];
  if (first === undefined) throw new Error('no mode');
  const again = await startEngine(join(directory, 'engine-aa'), modes[0] as (typeof modes)[number]);
  const fio = fioSubject(join(directory, 'fio'), 'libaio', 2);
  const subjects: Subject[] = [
    ...[1, 2, 3].map((depth) => floorSubject(join(directory, `floor-${depth}`), depth)),
    ...(fio === null ? [] : [fio]),
    plainSubject(join(directory, 'plain')),
    ...own,
    new EngineSubject('engine, I/O only (A/A)', again),
  ];
  const rows: Row[] = [];
  try {
    for (const streams of streamCounts) rows.push(...(await alternate(subjects, streams)));
  } finally {
    for (const engine of [...engines, again]) await engine.stop();
  }
  return rows;
}

async function alternate(subjects: Subject[], streams: number): Promise<Row[]> {
  const bytes = bytesPerStream(streams);
  const rows = subjects.flatMap(({ name }) =>
    (['write', 'restore'] as const).map(
      (direction): Row => ({ name, direction, streams, bytesPerStream: bytes, samples: [] }),
    ),
  );
  for (let round = 0; round <= alternations; round++) {
    // Forth and back, so that no subject always runs behind the same other one.
    const order = subjects.map((_, i) => (round % 2 === 0 ? i : subjects.length - 1 - i));
    for (const i of order) {
      const subject = subjects[i] as Subject;
      const written = await subject.write(streams, bytes);
      const restored = await subject.restore(streams, bytes);
      await subject.clean(streams);
      process.stderr.write(`\r${streams} streams, ${round}/${alternations}, ${subject.name.padEnd(24)}`);
      if (round === 0) continue;
      rows[2 * i]?.samples.push(written);
      rows[2 * i + 1]?.samples.push(restored);
    }
  }
  process.stderr.write('\r\x1b[K');
  return rows;
}

async function main(): Promise<void> {
  const started = new Date();
  execFileSync('make', ['-s', '-C', join(project, 'bench/native')], { stdio: 'inherit' });
  const base = values.target ?? join(project, 'build');
  mkdirSync(base, { recursive: true });
  if (!values['micro-only']) checkSpace(base);
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
    const rows = await macro(directory);
    const fio = spawnSync('fio', ['--version'], { encoding: 'utf8' });
    const result: Result = resultSchema.parse({
      schema: 'vast-ost-bench/1',
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
      rows,
      small: await smallImages(directory, alternations),
      control: await controlRoundTrip(directory),
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
