/** What limited a job: its time shares and the engine's verdict, for people. */
import { loadConfig } from '../engine/config.ts';
import {
  type FinishedJob,
  findingWords,
  finishedJobSchema,
  mostOf,
  type PartName,
  partsOf,
  partWords,
  sharesSchema,
} from '../engine/core/shares.ts';
import type { StatusJob, StatusReport } from '../engine/core/status-report.ts';
import { frame } from '../engine/core/wire.ts';
import { askEngine } from './engine-call.ts';
import { lastJobsInLog, logBytesMax } from './finished-log.ts';
import { CliError, type CliIo, exitCode, humanBytes, table } from './io.ts';

export interface WhyOptions {
  readonly config?: string;
  readonly socket?: string;
  readonly log?: string;
  readonly json?: boolean;
}

/** Without a name so many are listed. */
const listedMax = 20;
const nearestMax = 5;
const barCells = 30;

export async function whyJob(name: string | undefined, options: WhyOptions, io: CliIo): Promise<number> {
  const found = await gather(name, options, io);
  if (name === undefined) {
    const jobs = found.jobs.slice(0, listedMax);
    const none = `no job has ended yet that ${found.looked.join(' or ')} knows of\n`;
    await io.out(options.json ? json(jobs) : jobs.length === 0 ? none : listText(jobs));
    return exitCode.ok;
  }
  const going = found.running.filter((job) => isNamed(job, name));
  const jobs = found.jobs.filter((job) => isNamed(job, name));
  const [latest, ...others] = [...going, ...jobs];
  if (latest === undefined) throw new CliError(missing(name, found));
  const older = jobs.filter((job) => job !== latest).slice(0, listedMax);
  const more =
    others.length > 0
      ? `\n${others.length} more of this name, whole with --json:\n${older.length > 0 ? listText(older) : ''}`
      : '';
  await io.out(options.json ? json([...going, ...jobs]) : `${jobText(latest)}${more}`);
  return exitCode.ok;
}

/** A job that goes on: no verdict yet. */
interface RunningJob extends Omit<FinishedJob, 'endedAt' | 'limit' | 'accounted' | 'storageBest'> {
  readonly endedAt: null;
  readonly waitsFor: StatusJob['waitsFor'];
}

interface Gathered {
  /** The last one first. */
  jobs: FinishedJob[];
  running: RunningJob[];
  /** Where was looked, and what came of it. */
  looked: string[];
}

/** The running engine has the last ones, the log more of them. Throws when there is neither. */
async function gather(name: string | undefined, options: WhyOptions, io: CliIo): Promise<Gathered> {
  const { log } = options;
  if (log !== undefined) return { jobs: logJobs(log), running: [], looked: [log] };
  const needsConfig = options.socket === undefined;
  const config = needsConfig ? loadConfig(options.config ?? null, io.env) : null;
  const socket = options.socket ?? config?.engine.socket ?? '';
  const found: Gathered = { jobs: [], running: [], looked: [] };
  let problem: CliError | null = null;
  try {
    const told = await askFinished(socket);
    found.jobs = told.jobs;
    found.running = told.running;
    found.looked.push(`the engine at ${socket}`);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    problem = error;
  }
  const enough =
    name === undefined
      ? found.jobs.length >= listedMax
      : [...found.running, ...found.jobs].some((job) => isNamed(job, name));
  if (enough) return found;
  const file = config?.logging.file ?? '-';
  if (file === '-') {
    if (problem === null) return found;
    throw new CliError(`${problem.message}; and there is no log file to look at: name one with --log`);
  }
  try {
    const known = new Set(found.jobs.map(keyOf));
    found.jobs.push(...logJobs(file).filter((job) => !known.has(keyOf(job))));
    found.looked.push(file);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (problem !== null) throw new CliError(`${problem.message}; and ${error.message}`);
  }
  return found;
}

function keyOf({ image, mode, seconds, bytes, shares }: FinishedJob): string {
  return JSON.stringify([image, mode, seconds, bytes, shares]);
}

async function askFinished(socket: string): Promise<{ jobs: FinishedJob[]; running: RunningJob[] }> {
  const body = await askEngine(socket, frame.status);
  let report: Partial<StatusReport>;
  try {
    report = JSON.parse(body.toString('utf8')) as StatusReport;
  } catch {
    throw new CliError(`the engine at ${socket} gave no JSON`);
  }
  const jobs = finishedJobSchema.array().safeParse(report.finished ?? []);
  if (!jobs.success) throw new CliError(`the engine at ${socket} is of another version: restart it after an upgrade`);
  const running = (report.jobs ?? []).flatMap(({ job, server, lsu, image, mode, seconds, bytes, shares, waitsFor }) => {
    const told = sharesSchema.safeParse(shares);
    if (!told.success) return [];
    return [
      { job, server, image: `${lsu}/${image}`, mode, endedAt: null, seconds, bytes, shares: told.data, waitsFor },
    ];
  });
  return { jobs: jobs.data, running };
}

function logJobs(file: string): FinishedJob[] {
  try {
    return lastJobsInLog(file);
  } catch (error) {
    throw new CliError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

/** A job's name, or an image as the log calls it, or its last part with or without its date. */
function isNamed({ job, image }: Pick<FinishedJob, 'job' | 'image'>, name: string): boolean {
  const last = image.slice(image.indexOf('/') + 1);
  return job === name || image === name || last === name || last.replace(/~\d+$/, '') === name;
}

function missing(name: string, { jobs, running, looked }: Gathered): string {
  const where = looked.length === 0 ? 'nowhere' : looked.join(' and ');
  const far = new Set(nearest(name, jobs).map(({ job, image }) => printable(job === '' ? image : `${job} (${image})`)));
  const parts = [`no job or image ${printable(name)} in ${where} (of a log its last ${humanBytes(logBytesMax)})`];
  if (far.size > 0) parts.push(`nearest: ${[...far].join(', ')}`);
  const going = running
    .slice(0, nearestMax)
    .map(({ job, image, waitsFor }) =>
      printable(`${job || '-'} ${image}, which waits for ${waitsFor ?? 'nothing'} now`),
    );
  if (going.length > 0) parts.push(`still running: ${going.join('; ')}`);
  return parts.join('; ');
}

function nearest(name: string, jobs: readonly FinishedJob[]): FinishedJob[] {
  const wanted = pairs(name);
  const likeness = ({ job, image }: FinishedJob): number =>
    [...pairs(job), ...pairs(image)].filter((pair) => wanted.has(pair)).length;
  const ranked = jobs.map((job) => ({ job, like: likeness(job) })).toSorted((a, b) => b.like - a.like);
  return ranked.slice(0, nearestMax).map(({ job }) => job);
}

function pairs(text: string): Set<string> {
  return new Set(Array.from({ length: Math.max(0, text.length - 1) }, (_, i) => text.slice(i, i + 2).toLowerCase()));
}

// --- for people -------------------------------------------------------------------------------------------------------

function json(jobs: readonly (FinishedJob | RunningJob)[]): string {
  return `${JSON.stringify(jobs, null, 2)}\n`;
}

/** A host program's words must not reach the terminal as control characters. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function rate({ bytes, seconds }: Pick<FinishedJob, 'bytes' | 'seconds'>): string {
  return `${humanBytes(seconds > 0 ? bytes / seconds : 0)}/s`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

const does = { write: 'written', read: 'read', copy: 'copied' } as const;

function listText(jobs: readonly FinishedJob[]): string {
  const rows = jobs.map((job) => {
    const most = mostOf(job.shares);
    const share = partsOf(job.shares).find(([name]) => name === most)?.[1] ?? 0;
    const verdict = job.limit === null ? `most: ${partWords[most]} ${percent(share)}` : verdictLine(job.limit);
    return [
      printable(job.endedAt.slice(0, 19).replace('T', ' ')),
      printable(job.job) || '-',
      printable(job.image),
      does[job.mode],
      humanBytes(job.bytes),
      rate(job),
      verdict,
    ];
  });
  return table([['ENDED (UTC)', 'JOB', 'IMAGE', 'WAS', 'BYTES', 'RATE', 'LIMIT'], ...rows], [4, 5]);
}

function verdictLine({ finding, setting }: NonNullable<FinishedJob['limit']>): string {
  return `${findingWords[finding].toUpperCase()}: ${printable(setting)}`;
}

function jobText(job: FinishedJob | RunningJob): string {
  const { shares, seconds } = job;
  const about = table([
    ['job', printable(job.job) || '-'],
    ['image', printable(job.image)],
    [does[job.mode], `${humanBytes(job.bytes)} in ${seconds.toFixed(3)} s, ${rate(job)}, on ${printable(job.server)}`],
    job.endedAt === null
      ? ['ended', `not yet; waits for ${job.waitsFor ?? 'nothing'} now`]
      : ['ended', printable(job.endedAt)],
  ]);
  const longest = Math.max(...partsOf(shares).map(([, part]) => part));
  const rows = partsOf(shares).map(([name, part]) => [
    partWords[name],
    percent(part),
    `${(part * seconds).toFixed(3)} s`,
    '█'.repeat(longest > 0 ? Math.round((part / longest) * barCells) : 0),
  ]);
  if (job.endedAt === null) return [about, table(rows, [1, 2]), soFarText].join('\n');
  return [about, table(rows, [1, 2]), job.limit === null ? plainText(job) : limitText(job.limit)].join('\n');
}

const soFarText = table([
  [
    'so far',
    'the host program tells of its copies at the end: until then they are in its part; the verdict comes then, too',
  ],
]);

function limitText({ finding, change, because }: NonNullable<FinishedJob['limit']>): string {
  return table([
    ['limit', findingWords[finding]],
    ['because', printable(because)],
    ['change', printable(change)],
    ['then', 'run the same job again, and compare both with: vast-ost why'],
  ]);
}

/** What the greatest part means where nobody is to blame. */
const meanings: Readonly<Record<PartName, string>> = {
  hostProgram: 'the host program was busy elsewhere',
  copy: 'the one copy between the host program and a slot: memory speed of one core',
  memory: 'others held the memory: fewer jobs at once, or [engine] max_memory_mb up',
  queue: 'its blocks waited behind others for a lane: many streams share them',
  ring: 'the way between plug-in, coordinator and lanes: small images, or too few free processors',
  digest: 'its own CRC-64 and SHA-256, one block after the other: the rate of one core',
  device: 'the storage, at the pace that it has',
  network: 'the network and the storage behind it, at the pace that they have',
  commit: 'the steps that open and finish an image: small images are little else',
  other: 'what nobody accounts for: the plug-in itself',
};

function plainText({ shares, storageBest, mode }: FinishedJob): string {
  const most = mostOf(shares);
  const rows = [
    ['limit', 'nothing stands out'],
    ['most', `${partWords[most]}: ${meanings[most]}`],
  ];
  if ((most === 'device' || most === 'network') && storageBest) {
    const { bytesPerSecond, at } = storageBest;
    rows.push([
      'before',
      `the fastest that was ${does[mode]} there: ${humanBytes(bytesPerSecond)}/s, ended ${printable(at)}`,
    ]);
  }
  return table(rows);
}
