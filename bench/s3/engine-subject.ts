/** The engine before the null servers: uploads to the one that discards, restores from the one that keeps. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TestEngine } from '../../test/support/engine.ts';
import { runHost } from '../../test/support/host-program.ts';
import { hostSample, type Mode, type Sample, type Subject } from '../subjects.ts';
import { bucket, caFile, credentials, type NullServer } from './servers.ts';

export interface S3EngineOptions {
  readonly directory: string;
  readonly mode: Mode;
  readonly discards: NullServer;
  readonly keeps: NullServer;
  readonly tls: boolean;
  /** Where a probe in each of its threads writes how long event loops stood still. */
  readonly stallFile: string;
}

/** With the specification's settings and those of a storage server as shipped. */
export function startS3Engine(options: S3EngineOptions): Promise<TestEngine> {
  const { directory, mode, discards, keeps, tls, stallFile } = options;
  mkdirSync(directory, { recursive: true });
  const server = ({ port, tlsPort }: NullServer): Record<string, string> => ({
    store: 's3',
    bucket,
    endpoints: tls ? `https://localhost:${tlsPort}` : `http://127.0.0.1:${port}`,
    ...(tls ? { ca_file: caFile } : {}),
  });
  return TestEngine.start({
    directory,
    config: {
      general: { block_size_mb: 64 },
      performance: { thread_pool_size: 16, read_ahead_mb: 128, write_buffer_count: 3 },
      logging: { log_level: 'INFO' },
      engine: { max_memory_mb: 4096 },
      ...mode.config,
      'server:discards': server(discards),
      'server:keeps': server(keeps),
    },
    env: {
      ...credentials,
      NODE_OPTIONS: `--import=${join(import.meta.dirname, 'stall-probe.ts')}`,
      VAST_OST_STALL_FILE: stallFile,
    },
  });
}

export class S3EngineSubject implements Subject {
  readonly name: string;
  readonly integrity: string;
  readonly engine: TestEngine;
  /** Its own: all engines share the two buckets. */
  readonly #lsu: string;
  #date = 0;
  /** Streams of the image that lies on the keeping server, by its bytes per stream. */
  #kept = '';

  constructor(name: string, integrity: string, engine: TestEngine) {
    this.#lsu = name.replaceAll(/[^a-zA-Z]/g, '');
    this.name = name;
    this.integrity = integrity;
    this.engine = engine;
  }

  async #host(server: string, args: (string | number)[]): Promise<void> {
    const all = [
      ...args.map(String),
      '--lsu',
      this.#lsu,
      '--server',
      `VastData:${server}`,
      '--config',
      this.engine.config,
    ];
    const { code, err, json } = await runHost(all);
    if (code !== 0) throw new Error(`${this.name}: ${all.join(' ')}: ${json.text || err}`);
  }

  #sample(command: string, server: string, args: (string | number)[]): Promise<Sample> {
    const all = [command, '--lsu', this.#lsu, '--image', 'b', '--server', `VastData:${server}`, ...args.map(String)];
    return hostSample(this.engine, all);
  }

  async #prepare(): Promise<void> {
    if (this.#date > 0) return;
    for (const server of ['discards', 'keeps']) await this.#host(server, ['create-lsu']);
  }

  async write(streams: number, bytes: number): Promise<Sample> {
    await this.#prepare();
    this.#date++;
    return this.#sample('backup', 'discards', ['--date', this.#date, '--generate', bytes, '--streams', streams]);
  }

  async restore(streams: number, bytes: number): Promise<Sample> {
    const kept = `${streams} of ${bytes}`;
    if (this.#kept !== kept) {
      await this.#sample('backup', 'keeps', ['--date', streams, '--generate', bytes, '--streams', streams]);
      this.#kept = kept;
    }
    return this.#sample('restore', 'keeps', ['--date', streams, '--discard', '--streams', streams]);
  }

  async clean(streams: number): Promise<void> {
    for (let i = 1; i <= streams; i++)
      await this.#host('discards', ['delete', '--image', `b_S${i}`, '--date', this.#date]);
  }
}
