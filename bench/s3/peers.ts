/**
 * Other S3 clients, where they are installed: each copies a file in memory (tmpfs) to the null server that discards, and
 * an object of the one that keeps into a file in memory. A stream is a process. Rate and CPU are those of whole
 * processes, start included: that is what a script that calls them gets.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sample, Subject } from '../subjects.ts';
import { bucket, credentials, type NullServer } from './servers.ts';

/** More than one part of any client. */
const trialBytes = 96 << 20;

interface Peer {
  readonly name: string;
  /** Exits with 0 where it is installed. */
  readonly probe: readonly string[];
  readonly integrity: string;
  readonly env?: (port: number) => Record<string, string>;
  put(endpoint: string, file: string, key: string): string[];
  get(endpoint: string, key: string, file: string): string[];
}

const aws =
  (mode: string): Peer['env'] =>
  () => ({
    AWS_REQUEST_CHECKSUM_CALCULATION: mode,
    AWS_RESPONSE_CHECKSUM_VALIDATION: mode,
  });
const rcloneEnv = (port: number): Record<string, string> => ({
  RCLONE_CONFIG_NULL_TYPE: 's3',
  RCLONE_CONFIG_NULL_PROVIDER: 'Other',
  RCLONE_CONFIG_NULL_ENV_AUTH: 'true',
  RCLONE_CONFIG_NULL_ENDPOINT: `http://127.0.0.1:${port}`,
  RCLONE_S3_NO_CHECK_BUCKET: 'true',
  RCLONE_CONFIG: '/dev/null',
});
const libStorage = join(import.meta.dirname, 'lib-storage.ts');

function awsCli(name: string, integrity: string, mode: string): Peer {
  const s3 = (endpoint: string): string[] => ['aws', '--endpoint-url', endpoint, 's3', 'cp', '--quiet'];
  return {
    name,
    integrity,
    probe: ['aws', '--version'],
    env: aws(mode),
    put: (endpoint, file, key) => [...s3(endpoint), file, `s3://${bucket}/${key}`],
    get: (endpoint, key, file) => [...s3(endpoint), `s3://${bucket}/${key}`, file],
  };
}

function rclone(name: string, integrity: string, options: string[]): Peer {
  return {
    name,
    integrity,
    probe: ['rclone', 'version'],
    env: rcloneEnv,
    put: (_endpoint, file, key) => [
      'rclone',
      ...options,
      '--s3-upload-concurrency=6',
      '--s3-chunk-size=64M',
      'copyto',
      file,
      `null:${bucket}/${key}`,
    ],
    get: (_endpoint, key, file) => ['rclone', ...options, 'copyto', `null:${bucket}/${key}`, file],
  };
}

function sdk(name: string, integrity: string, mode: string): Peer {
  const script = (...args: string[]): string[] => [process.execPath, libStorage, ...args, mode];
  return {
    name,
    integrity,
    probe: [process.execPath, '--version'],
    put: (endpoint, file, key) => script('put', endpoint, bucket, key, file),
    get: (endpoint, key, file) => script('get', endpoint, bucket, key, file),
  };
}

const peers: readonly Peer[] = [
  {
    name: 's5cmd',
    integrity: 'signed SHA-256',
    probe: ['s5cmd', 'version'],
    put: (endpoint, file, key) => ['s5cmd', '--endpoint-url', endpoint, 'cp', file, `s3://${bucket}/${key}`],
    get: (endpoint, key, file) => ['s5cmd', '--endpoint-url', endpoint, 'cp', `s3://${bucket}/${key}`, file],
  },
  {
    name: 'mc',
    integrity: 'its default',
    probe: ['mc', '--version'],
    env: (port) => ({ MC_HOST_null: `http://bench:bench-secret@127.0.0.1:${port}` }),
    put: (_endpoint, file, key) => ['mc', '--quiet', 'cp', file, `null/${bucket}/${key}`],
    get: (_endpoint, key, file) => ['mc', '--quiet', 'cp', `null/${bucket}/${key}`, file],
  },
  rclone('rclone', 'MD5, signed SHA-256', []),
  rclone('rclone, cheapest', 'signed SHA-256', ['--s3-disable-checksum']),
  awsCli('aws-cli', 'its default checksum', 'when_supported'),
  awsCli('aws-cli, cheapest', 'signed SHA-256', 'when_required'),
  sdk('SDK lib-storage', 'its default checksum', 'default'),
  sdk('SDK lib-storage, cheapest', 'signed SHA-256', 'when_required'),
];

/** Seconds of one process as bash's `times` prints them: 0m1.23s. */
function seconds(text: string): number {
  const [, minutes = '0', rest = '0'] = /^(\d+)m([\d.]+)s$/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(rest);
}

/** Runs it below a shell that tells its CPU time. Returns CPU seconds, children included. */
async function cpuOf(command: string[], env: Record<string, string>): Promise<number> {
  const shell = '"$@" >/dev/null || exit $?; times';
  const child = spawn('sh', ['-c', shell, 'sh', ...command], {
    env: { ...process.env, ...credentials, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err = `${err}${chunk}`.slice(-2000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command.join(' ')}: ${err}`);
  const [user = '', system = ''] = (out.trim().split('\n').at(-1) ?? '').split(' ');
  return seconds(user) + seconds(system);
}

/** A file in memory, where the machine has such a file system. */
export class Scratch {
  readonly directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vast-ost-bench-'));
  readonly source = join(this.directory, 'source');
  #bytes = 0;

  fill(bytes: number): void {
    if (this.#bytes === bytes) return;
    const block = randomFillSync(Buffer.alloc(64 << 20));
    const file = openSync(this.source, 'w');
    for (let at = 0; at < bytes; at += block.length) writeSync(file, block, 0, Math.min(block.length, bytes - at));
    closeSync(file);
    this.#bytes = bytes;
  }

  target(stream: number): string {
    return join(this.directory, `target-${stream}`);
  }

  clear(stream: number): void {
    rmSync(this.target(stream), { force: true });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

class PeerSubject implements Subject {
  readonly name: string;
  readonly integrity: string;
  readonly #peer: Peer;
  readonly #scratch: Scratch;
  readonly #discards: NullServer;
  readonly #keeps: NullServer;
  #kept = 0;

  constructor(peer: Peer, scratch: Scratch, discards: NullServer, keeps: NullServer) {
    this.name = peer.name;
    this.integrity = peer.integrity;
    this.#peer = peer;
    this.#scratch = scratch;
    this.#discards = discards;
    this.#keeps = keeps;
  }

  async #run(port: number, commands: string[][], bytes: number): Promise<Sample> {
    const begin = process.hrtime.bigint();
    const cpu = await Promise.all(commands.map((command) => cpuOf(command, this.#peer.env?.(port) ?? {})));
    const took = Number(process.hrtime.bigint() - begin) / 1e9;
    const all = bytes * commands.length;
    return {
      rate: all / took,
      hostCpuPerGb: cpu.reduce((sum, one) => sum + one, 0) / (all / 1e9),
      engineCpuPerGb: null,
    };
  }

  async write(streams: number, bytes: number): Promise<Sample> {
    this.#scratch.fill(bytes);
    const { port } = this.#discards;
    const commands = Array.from({ length: streams }, (_, i) =>
      this.#peer.put(`http://127.0.0.1:${port}`, this.#scratch.source, `peer/${i}`),
    );
    return this.#run(port, commands, bytes);
  }

  async restore(streams: number, bytes: number): Promise<Sample> {
    const { port } = this.#keeps;
    const endpoint = `http://127.0.0.1:${port}`;
    if (this.#kept !== bytes) {
      await this.#run(port, [this.#peer.put(endpoint, this.#scratch.source, 'peer/kept')], bytes);
      this.#kept = bytes;
    }
    const commands = Array.from({ length: streams }, (_, i) =>
      this.#peer.get(endpoint, 'peer/kept', this.#scratch.target(i)),
    );
    const sample = await this.#run(port, commands, bytes);
    for (let i = 0; i < streams; i++) this.#scratch.clear(i);
    return sample;
  }

  async clean(): Promise<void> {}
}

/** Whether it copies a small object there and back; if not, what it said. */
async function tryOut(subject: PeerSubject): Promise<string | null> {
  try {
    await subject.write(1, trialBytes);
    await subject.restore(1, trialBytes);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 300) : String(error);
  }
}

/** Those that are installed and work before this server; the others by name, with the reason. */
export async function workingPeers(
  scratch: Scratch,
  discards: NullServer,
  keeps: NullServer,
): Promise<{ subjects: Subject[]; missing: string[] }> {
  const subjects: Subject[] = [];
  const missing: string[] = [];
  for (const peer of peers) {
    const [command = '', ...args] = peer.probe;
    if (spawnSync(command, args, { stdio: 'ignore' }).status !== 0) {
      missing.push(`${peer.name} (not installed)`);
      continue;
    }
    const subject = new PeerSubject(peer, scratch, discards, keeps);
    const reason = await tryOut(subject);
    if (reason === null) subjects.push(subject);
    else missing.push(`${peer.name} (${reason})`);
  }
  return { subjects, missing };
}
