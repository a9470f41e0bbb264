import { loadConfig } from '../engine/config.ts';
import type { EndpointStatus } from '../engine/core/bucket-status.ts';
import type { StatusJob, StatusMount, StatusReport, StatusServer } from '../engine/core/status-report.ts';
import { frame } from '../engine/core/wire.ts';
import { askEngine } from './engine-call.ts';
import { CliError, type CliIo, exitCode, humanBytes, table } from './io.ts';

export interface StatusOptions {
  readonly config?: string;
  readonly socket?: string;
  readonly json?: boolean;
}

/** What the running engine does; exit code 1 when there is none, or when its storage is not mounted. */
export async function engineStatus(options: StatusOptions, io: CliIo): Promise<number> {
  const socket = options.socket ?? loadConfig(options.config ?? null, io.env).engine.socket;
  const body = await askEngine(socket, frame.status);
  let report: StatusReport;
  try {
    report = JSON.parse(body.toString('utf8')) as StatusReport;
  } catch {
    throw new CliError(`the engine at ${socket} gave no JSON`);
  }
  await io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : statusText(report, io.now()));
  return report.servers.every((server) => server.ready) ? exitCode.ok : exitCode.failed;
}

/** For people. */
export function statusText(report: StatusReport, now: Date): string {
  const { engine, memory, handles, log } = report;
  const up = Math.max(0, (now.getTime() - Date.parse(engine.startedAt)) / 1000);
  const parts = [
    table([
      [
        'engine',
        `vast-ost ${engine.version}, pid ${engine.pid}, up ${duration(up)}${engine.draining ? ', draining' : ''}`,
      ],
      ['images open', `${handles.open} of ${handles.max}`],
      ['memory', `${humanBytes(memory.usedBytes)} of ${humanBytes(memory.budgetBytes)}, ${memory.waiting} waiting`],
      ...report.pools.map((pool) => [
        `${pool.name} lanes`,
        `${pool.busy} busy of ${pool.running}, at most ${pool.max}, ${pool.queued} queued${pool.lost > 0 ? `, ${pool.lost} LOST` : ''}`,
      ]),
      ...report.servers.flatMap((server) => [
        ...storageLines(server, report.mounts),
        ...server.endpoints.map((endpoint) => ['endpoint', endpointLine(endpoint)]),
      ]),
      ...report.mounts.flatMap((mount) => mount.warnings.map((warning) => ['warning', warning])),
      ...report.servers.flatMap(serverWarnings),
      ...(log.dropped > 0 || log.failure
        ? [['log', `${log.dropped} lines dropped; ${log.failure ?? 'works again'}`]]
        : []),
    ]),
  ];
  if (report.jobs.length > 0) {
    const head = ['JOB', 'LSU', 'IMAGE', 'DOES', 'BYTES', 'RATE', 'SLOTS', 'WAITS FOR'];
    parts.push(table([head, ...report.jobs.map(jobRow)], [4, 5, 6]));
  }
  return parts.join('\n');
}

function storageLines(server: StatusServer, mounts: readonly StatusMount[]): string[][] {
  const { name, root, mountPoints, healthyMounts } = server;
  const own = mounts.filter((mount) => mount.server === name);
  if (mountPoints > 1) {
    const lines = own.map((mount) => ['mount', `${mount.root}: ${mountState(mount)}`]);
    return [['storage', `${name}: ${healthyMounts} of ${mountPoints} mounts healthy`], ...lines];
  }
  const [mount] = own;
  if (mount !== undefined) {
    const state = mount.mounted ? (mount.fsType ?? 'mounted') : 'NOT MOUNTED';
    return [['storage', `${name} ${root}: ${state}${stalled(mount.stalledSeconds)}`]];
  }
  return [['storage', bucketLine(server)]];
}

/** One of several. */
function mountState({ state, fsType, lanesLost, stalledSeconds }: StatusMount): string {
  const words = {
    healthy: fsType || 'mounted',
    'not mounted': 'NOT USED: see the warning',
    'lanes lost': `NOT USED: ${lanesLost} lanes LOST`,
    silent: 'NOT USED: does not answer',
  };
  return `${words[state]}${stalled(stalledSeconds)}`;
}

/** What is no mount: a bucket, or memory. */
function bucketLine({ name, store, root, ready, retries, integrity, conditionalPuts }: StatusServer): string {
  const parts = [`${name} ${root}: ${ready ? store : 'NOT REACHED'}`];
  if (integrity !== null) parts.push(integrityWords[integrity]);
  if (conditionalPuts !== null)
    parts.push(conditionalPuts ? 'conditional puts' : 'NO conditional puts: one engine only');
  if (retries > 0) parts.push(`${retries} retries`);
  return parts.join(', ');
}

/** How bytes are protected on their way to a bucket. */
const integrityWords: Readonly<Record<NonNullable<StatusServer['integrity']>, string>> = {
  crc64nvme: 'CRC-64/NVME',
  sha256: 'signed SHA-256',
  md5: 'Content-MD5',
};

function endpointLine({ origin, healthy, busy, requests, failures, problem }: EndpointStatus): string {
  const numbers = `${busy} busy, ${requests} requests, ${failures} failed`;
  return healthy ? `${origin}: ${numbers}` : `${origin}: DOES NOT ANSWER, ${numbers}: ${problem}`;
}

/** Those of mounts stand with the mounts. */
function serverWarnings({ name, store, problem, tlsVerify }: StatusServer): string[][] {
  const texts = store === 's3' && problem !== '' ? [problem] : [];
  if (!tlsVerify) texts.push(`${name}: tls_verify = false: certificates of its endpoints are not checked`);
  return texts.map((text) => ['warning', text]);
}

function jobRow(job: StatusJob): string[] {
  return [
    job.job || '-',
    job.lsu,
    job.image,
    job.mode,
    humanBytes(job.bytes),
    `${humanBytes(job.bytesPerSecond)}/s`,
    `${job.slots.held}/${job.slots.of}`,
    `${job.waitsFor ?? '-'}${stalled(job.stalledSeconds)}`,
  ];
}

function stalled(seconds: number): string {
  return seconds > 0 ? `, STALLED for ${duration(seconds)}` : '';
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}
