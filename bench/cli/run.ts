/** `bench run`: measures, writes the result as files, prints it. */
import { existsSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { programs } from '../../scripts/programs/places.ts';
import { top } from '../../scripts/steps.ts';
import { BenchError } from '../bench-error.ts';
import { type Part, partsOf } from '../macro/index.ts';
import { csv } from '../result/csv.ts';
import { writeWhole } from '../result/files.ts';
import type { Micro, Result, Row, Soak } from '../result/schema.ts';
import type { Run } from '../run-context.ts';
import { soakText } from '../soak/trend.ts';
import { textReport } from '../text-report.ts';
import type { BenchIo } from './io.ts';
import { measure, type Work } from './measure.ts';
import type { RunOptions } from './options.ts';

/** Where results go: beside the others in a checkout, where one stands with a package. */
function outDirectory(out: string | null): string {
  const directory = resolve(out ?? (programs().packageTop === null ? join(top, 'bench/results') : '.'));
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new BenchError(`--out ${directory}: cannot be made (${(error as Error).message}); name another directory`);
  }
  // Now, and not when hours have been measured.
  try {
    rmdirSync(mkdtempSync(join(directory, '.vast-ost-bench-')));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BenchError(`--out ${directory}: results cannot be written there (${code}); name another directory`);
  }
  return directory;
}

/** JSON, CSV and HTML; their paths. */
async function writeFiles(result: Result, directory: string): Promise<string[]> {
  const started = join(directory, result.startedAt.replaceAll(/[:.]/g, '-'));
  // Runs that --start-at began together may write to one directory: none takes another's name.
  const base = existsSync(`${started}.json`) ? `${started}-${result.id.slice(0, 8)}` : started;
  const files: [string, string][] = [
    [`${base}.json`, `${JSON.stringify(result, null, 1)}\n`],
    [`${base}.csv`, csv(result)],
  ];
  for (const [path, text] of files) writeWhole(path, text);
  const html = `${base}.html`;
  (await import('../report/write.ts')).writeReport(result, html);
  return [...files.map(([path]) => path), html];
}

/** For runs that were started together: when the first and the last sample were complete. */
function doneText({ rows, startedAt }: Result): string {
  const ends = rows.flatMap((row: Row) => row.samples.map(({ at = 0, seconds }) => at + seconds));
  if (ends.length === 0) return '';
  const clock = (seconds: number): string => new Date(Date.parse(startedAt) + seconds * 1000).toISOString();
  return `first sample done ${clock(Math.min(...ends))}, last ${clock(Math.max(...ends))}\n`;
}

export async function runBench(options: RunOptions, given: readonly string[], io: BenchIo): Promise<number> {
  const { soakHours } = options;
  if (soakHours !== null) {
    const soak = async (run: Run): Promise<Soak> => (await import('../soak/rounds.ts')).soak(run, soakHours);
    return carryOut(options, { parts: [], soak }, given, io);
  }
  const parts = options.macro ? partsOf(options.store, options.workloads) : [];
  if (options.macro && parts.length === 0) {
    const asked = options.workloads?.join(',');
    throw new BenchError(`--workloads ${asked}: none of them is measured on --store ${options.store}`, 2);
  }
  return carryOut(options, { parts, ...(options.micro ? { micro: partsAlone } : {}) }, given, io);
}

async function partsAlone(run: Run): Promise<Micro[]> {
  return (await import('../micro/index.ts')).micro(run);
}

/** The engine without a device: what coordinator, rings, copies and sums carry. */
export async function runDiscard(options: RunOptions, given: readonly string[], io: BenchIo): Promise<number> {
  const part: Part = {
    workloads: ['orders', 'write', 'restore'],
    store: 'file',
    points: ({ streams, blocks }) => 1 + 3 * new Set([1, ...streams]).size * new Set([64 << 20, ...blocks]).size,
    rows: async (run) => (await import('../discard/rows.ts')).discardRows(run),
  };
  // No byte is stored: the least that the check of free space takes.
  const own = { ...options, macro: false, micro: false, sizeBytes: 1 << 20 };
  const { discardText, projectionText } = await import('../discard/text.ts');
  const { modelPoints } = await import('../discard/check.ts');
  // What was measured is a result also where no model can be made of it.
  const modelled = <T>(what: string, make: () => T, otherwise: T): T => {
    try {
      return make();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      io.fail(`there is no model of ${what}: ${why}; run it again when the machine does nothing else`);
      return otherwise;
    }
  };
  const finish = (result: Result): Result =>
    result.cut !== null || result.rows.length === 0
      ? result
      : modelled('this run', () => ({ ...result, model: modelPoints(result.rows) }), result);
  const more = ({ rows, model }: Result): string => {
    if (model.length === 0) return '';
    io.progress.step({ what: 'the model of larger machines' });
    return `${discardText(rows)}\n${modelled('larger machines', () => projectionText(rows), '')}`;
  };
  return carryOut(own, { parts: [part] }, given, io, { finish, more });
}

interface Extras {
  /** Before it is written. */
  readonly finish?: (result: Result) => Result;
  /** Behind what is printed of every result. */
  readonly more?: (result: Result) => string;
}

async function carryOut(
  options: RunOptions,
  work: Work,
  given: readonly string[],
  io: BenchIo,
  { finish = (result) => result, more = () => '' }: Extras = {},
): Promise<number> {
  const out = outDirectory(options.out);
  const { result: taken, code, failure } = await measure(options, work, io.progress, given);
  const result = failure === null ? finish(taken) : taken;
  const empty = result.rows.length === 0 && result.micro.length === 0 && result.soak === null;
  if (!empty) {
    io.out(textReport(result));
    if (result.micro.length > 0) io.out((await import('../micro/index.ts')).microText(result.micro));
    if (result.soak !== null) io.out(soakText(result.soak));
    if (options.startAt !== null) io.out(doneText(result));
    for (const path of await writeFiles(result, out)) io.out(`written: ${path}\n`);
    if (failure === null) io.out(more(result));
  }
  const nothing = empty ? '; nothing was measured until then, no result is written' : '';
  if (result.cut !== null) io.fail(`ended early: ${result.cut}${nothing}`);
  if (failure !== null) throw failure;
  if (empty) return code || 1;
  return code === 0 && (result.soak?.verdict.length ?? 0) > 0 ? 1 : code;
}
