/**
 * Other S3 clients, where they are installed: each copies a file in memory (tmpfs) to the null server that discards, and
 * an object of the one that keeps into a file in memory. A stream is a process. Rate and CPU are those of whole
 * processes, start included: that is what a script that calls them gets.
 */
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Load, Run, Subject, Taken } from '../run-context.ts';
import type { PeerName } from '../subjects/peer-names.ts';
import { accounted, runProgram } from '../subjects/programs.ts';
import { bucket, credentials, type NullServer } from './servers.ts';

/** More than one part of any client. */
const trialBytes = 96 << 20;

interface Peer {
  /** Of a row; `peer`: as --peers names it. */
  readonly name: string;
  readonly peer: PeerName;
  /** Exits with 0 where it is installed. */
  readonly probe: readonly string[];
  readonly integrity: string;
  readonly env?: (port: number) => NodeJS.ProcessEnv;
  put(endpoint: string, file: string, key: string): string[];
  get(endpoint: string, key: string, file: string): string[];
}

const aws =
  (mode: string): Peer['env'] =>
  () => ({
    AWS_REQUEST_CHECKSUM_CALCULATION: mode,
    AWS_RESPONSE_CHECKSUM_VALIDATION: mode,
  });
const rcloneEnv = (port: number): NodeJS.ProcessEnv => ({
  // Its HTTP client is its own: with a CA bundle for the SDK's it refuses to start.
  AWS_CA_BUNDLE: undefined,
  RCLONE_CONFIG_NULL_TYPE: 's3',
  RCLONE_CONFIG_NULL_PROVIDER: 'Other',
  RCLONE_CONFIG_NULL_ENV_AUTH: 'true',
  RCLONE_CONFIG_NULL_ENDPOINT: `http://127.0.0.1:${port}`,
  RCLONE_S3_NO_CHECK_BUCKET: 'true',
  RCLONE_CONFIG: '/dev/null',
});
const libStorage = fileURLToPath(new URL('./lib-storage.ts', import.meta.url));

function awsCli(name: string, integrity: string, mode: string): Peer {
  const s3 = (endpoint: string): string[] => ['aws', '--endpoint-url', endpoint, 's3', 'cp', '--quiet'];
  return {
    name,
    peer: 'aws-cli',
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
    peer: 'rclone',
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
    peer: 'lib-storage',
    integrity,
    probe: [process.execPath, '--version'],
    put: (endpoint, file, key) => script('put', endpoint, bucket, key, file),
    get: (endpoint, key, file) => script('get', endpoint, bucket, key, file),
  };
}

const peers: readonly Peer[] = [
  {
    name: 's5cmd',
    peer: 's5cmd',
    integrity: 'signed SHA-256',
    probe: ['s5cmd', 'version'],
    put: (endpoint, file, key) => ['s5cmd', '--endpoint-url', endpoint, 'cp', file, `s3://${bucket}/${key}`],
    get: (endpoint, key, file) => ['s5cmd', '--endpoint-url', endpoint, 'cp', `s3://${bucket}/${key}`, file],
  },
  {
    name: 'mc',
    peer: 'mc',
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

/** A file in memory, where the machine has such a file system. */
export class Scratch {
  readonly directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vast-ost-bench-'));
  readonly source = join(this.directory, 'source');
  #bytes = 0;
  /** A second signal ends the bench at once: memory would not come back by itself. */
  readonly #atExit = (): void => this.remove();

  constructor() {
    process.once('exit', this.#atExit);
  }

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
    process.off('exit', this.#atExit);
  }
}

class PeerSubject implements Subject {
  readonly name: string;
  readonly role = 'peer';
  readonly mode = null;
  readonly integrity: string;
  readonly measures: Subject['measures'] = [
    { workload: 'write', unit: 'B/s', take: (load) => this.write(load) },
    { workload: 'restore', unit: 'B/s', take: (load) => this.restore(load) },
  ];
  readonly #run: Run;
  readonly #peer: Peer;
  readonly #scratch: Scratch;
  readonly #discards: NullServer;
  readonly #keeps: NullServer;
  #kept = 0;

  constructor(run: Run, peer: Peer, scratch: Scratch, discards: NullServer, keeps: NullServer) {
    this.name = peer.name;
    this.integrity = peer.integrity;
    this.#run = run;
    this.#peer = peer;
    this.#scratch = scratch;
    this.#discards = discards;
    this.#keeps = keeps;
  }

  /** A process a stream, CPU of their children included. */
  #all(port: number, commands: readonly string[][], bytesEach: number): Promise<Taken> {
    const env = { ...credentials, ...this.#peer.env?.(port) };
    return accounted([], async () => {
      const began = process.hrtime.bigint();
      await Promise.all(commands.map(([program = '', ...args]) => runProgram(this.#run.signal, program, args, env)));
      const seconds = Number(process.hrtime.bigint() - began) / 1e9;
      const bytes = bytesEach * commands.length;
      return { value: bytes / seconds, seconds, bytes };
    });
  }

  async write({ streams, bytesPerStream }: Pick<Load, 'streams' | 'bytesPerStream'>): Promise<Taken> {
    this.#scratch.fill(bytesPerStream);
    const { port } = this.#discards;
    const commands = Array.from({ length: streams }, (_, i) =>
      this.#peer.put(`http://127.0.0.1:${port}`, this.#scratch.source, `peer/${i}`),
    );
    return this.#all(port, commands, bytesPerStream);
  }

  async restore({ streams, bytesPerStream }: Pick<Load, 'streams' | 'bytesPerStream'>): Promise<Taken> {
    const { port } = this.#keeps;
    const endpoint = `http://127.0.0.1:${port}`;
    if (this.#kept !== bytesPerStream) {
      await this.#all(port, [this.#peer.put(endpoint, this.#scratch.source, 'peer/kept')], bytesPerStream);
      this.#kept = bytesPerStream;
    }
    const commands = Array.from({ length: streams }, (_, i) =>
      this.#peer.get(endpoint, 'peer/kept', this.#scratch.target(i)),
    );
    const taken = await this.#all(port, commands, bytesPerStream);
    for (let i = 0; i < streams; i++) this.#scratch.clear(i);
    return taken;
  }
}

/** Null: it works before this server; else why not. */
async function tryOut(run: Run, subject: PeerSubject): Promise<string | null> {
  try {
    await subject.write({ streams: 1, bytesPerStream: trialBytes });
    await subject.restore({ streams: 1, bytesPerStream: trialBytes });
    return null;
  } catch (error) {
    run.check();
    return error instanceof Error ? error.message.slice(0, 300) : String(error);
  }
}

/** Of those that the run wants: what is installed and works before this server; the others by name, with the reason. */
export async function workingPeers(
  run: Run,
  scratch: Scratch,
  discards: NullServer,
  keeps: NullServer,
): Promise<{ subjects: Subject[]; missing: string[] }> {
  const subjects: Subject[] = [];
  const missing: string[] = [];
  for (const peer of peers.filter(({ peer }) => run.peers.includes(peer))) {
    const [command = '', ...args] = peer.probe;
    if (spawnSync(command, args, { stdio: 'ignore' }).status !== 0) {
      missing.push(`${peer.name} (not installed)`);
      continue;
    }
    run.progress({ what: 'trying other clients', subject: peer.name });
    const subject = new PeerSubject(run, peer, scratch, discards, keeps);
    const reason = await tryOut(run, subject);
    if (reason === null) subjects.push(subject);
    else missing.push(`${peer.name} (${reason})`);
  }
  return { subjects, missing };
}
