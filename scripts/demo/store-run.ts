/** One store's turn: all its images written, then read, and every one compared with what went in. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../programs/engine.ts';
import { firstDifference } from './compare.ts';
import { engineAccount } from './engine-log.ts';
import { type Job, type JobResult, runJobs } from './streams.ts';
import { megabytes, table } from './table.ts';

/** A tar stream, kept as a file so that what comes back can be compared with it. */
export interface Item {
  name: string;
  source: string;
  bytes: number;
}

export interface StoreUnderTest {
  /** As the table names it. */
  title: string;
  /** Storage server and LSU, as the host program is told. */
  server: string;
  lsu: string;
}

export interface RunWith {
  hostProgram: string;
  engine: Engine;
  env: NodeJS.ProcessEnv;
  /** Of every image: seconds since 1970, part of its key. */
  date: number;
  restored: string;
}

interface Phase {
  results: JobResult[];
  seconds: number;
  /** CPU seconds of the whole engine meanwhile. */
  engineCpu: number;
}

export interface StoreRun {
  store: StoreUnderTest;
  items: Item[];
  backup: Phase;
  restore: Phase;
  /** Where each that came back differs from what went in; null: nowhere. */
  differences: (number | null)[];
}

/** What came back does not stay: a demo takes no more of a disk than it must. */
export async function runStore(store: StoreUnderTest, items: Item[], run: RunWith): Promise<StoreRun> {
  const backup = await runPhase('backup', store, items, run);
  const restore = await runPhase('restore', store, items, run);
  const differences = items.map((item) => {
    const copy = restoredFile(run, item);
    const difference = firstDifference(item.source, copy);
    rmSync(copy);
    return difference;
  });
  return { store, items, backup, restore, differences };
}

function restoredFile({ restored }: RunWith, { name }: Item): string {
  return join(restored, `${name}.tar`);
}

/** All items at once: backup from their sources, or restore to their copies. */
async function runPhase(
  command: 'backup' | 'restore',
  { title, server, lsu }: StoreUnderTest,
  items: Item[],
  run: RunWith,
): Promise<Phase> {
  const { hostProgram, engine, env, date } = run;
  const origin = ['--policy', 'demo', '--schedule', 'full', '--client', 'this-machine'];
  const jobs = items.map((item): Job => {
    const key = ['--server', server, '--lsu', lsu, '--image', item.name, '--date', `${date}`];
    const rest = command === 'backup' ? origin : ['--output', restoredFile(run, item)];
    const input = command === 'backup' ? item.source : null;
    return { name: item.name, bytes: item.bytes, args: [command, ...key, ...rest], input };
  });
  const [began, cpu] = [performance.now(), engine.cpuSeconds()];
  const counted = command === 'backup' ? 'rchar' : 'wchar';
  const label = `${command.padEnd(7)} ${title.padEnd(6)}`;
  const results = await runJobs(label, hostProgram, jobs, counted, env);
  return { results, seconds: (performance.now() - began) / 1000, engineCpu: engine.cpuSeconds() - cpu };
}

export function allIdentical({ differences }: StoreRun): boolean {
  return differences.every((difference) => difference === null);
}

/** Both stores' rows in one table. `checksum`: of each item's image, as its store has it. */
export function reportTable(
  runs: { run: StoreRun; checksums: (string | null)[] }[],
  logFile: string,
  date: number,
): string {
  const columns = ['GB/s', 'host', 'engine'];
  const head = ['store', 'image', 'MB', 'write s', ...columns, 'read s', ...columns, 'checksum', 'restored'];
  return table(
    head,
    runs.flatMap(({ run, checksums }) => rowsOf(run, checksums, logFile, date)),
  );
}

function rowsOf(run: StoreRun, checksums: (string | null)[], logFile: string, date: number): string[][] {
  const { store, items, backup, restore, differences } = run;
  const total = items.reduce((sum, { bytes }) => sum + bytes, 0);
  const number = (value: number | null): string => value?.toFixed(2) ?? '–';
  const one = ({ seconds, gb_per_s, cpu_s_per_gb }: JobResult, engine: number | null): string[] =>
    [seconds, gb_per_s, cpu_s_per_gb, engine].map(number);
  const all = ({ results, seconds, engineCpu }: Phase): string[] => {
    const hostCpu = results.reduce((sum, result) => sum + result.cpu_s_per_gb * result.bytes, 0) / 1e9;
    return [seconds, total / 1e9 / seconds, hostCpu / (total / 1e9), engineCpu / (total / 1e9)].map(number);
  };
  const rows = items.map(({ name, bytes }, i) => {
    const account = engineAccount(logFile, `${store.lsu}/${name}~${date}`);
    return [
      store.title,
      name,
      megabytes(bytes),
      ...one(backup.results[i], account.written),
      ...one(restore.results[i], account.read),
      `${(checksums[i] ?? 'none').slice(0, 19)}…`,
      differences[i] === null ? 'identical' : `DIFFERS at byte ${differences[i]}`,
    ];
  });
  const verdict = allIdentical(run) ? 'all identical' : 'NOT ALL';
  return [...rows, [store.title, 'together', megabytes(total), ...all(backup), ...all(restore), '', verdict]];
}

/** For the files of `items`. */
export function itemOf(name: string, source: string): Item {
  return { name, source, bytes: statSync(source).size };
}
