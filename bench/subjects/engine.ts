/** The main path: backups and restores through plug-in and engine, in a mode, on a file store or in a bucket. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineProcess } from '../engine-process.ts';
import { dataArguments, hostRun, hostSample } from '../host-program.ts';
import type { DataOptions, Load, ModeName, Role, Run, Subject, Taken } from '../run-context.ts';

export const modeWords: Readonly<Record<ModeName, string>> = {
  'io-only': 'I/O only',
  sums: 'with sums',
  default: 'default',
};

export const fileGuards: Readonly<Record<ModeName, string>> = {
  'io-only': 'nothing; O_DIRECT; durable when it is told as complete',
  sums: 'CRC-64 of every MiB; durable when it is told as complete',
  default: 'CRC-64 of every MiB, SHA-256 of the image; durable when it is told as complete',
};

export interface MainPath {
  readonly name: string;
  readonly role: Extract<Role, 'engine' | 'twin'>;
  readonly mode: ModeName;
  readonly integrity: string;
  readonly floor?: string;
  readonly engine: EngineProcess;
  /** Of a bucket that discards what is written, restores come from another one. */
  readonly servers?: { readonly write: string; readonly restore: string };
}

export class MainPathSubject implements Subject {
  readonly name: string;
  readonly role: Role;
  readonly mode: ModeName;
  readonly integrity: string;
  readonly floor?: string;
  readonly measures: Subject['measures'];
  readonly #run: Run;
  readonly #path: MainPath;
  /** Subjects may share buckets: each has an LSU of its own. */
  readonly #lsu: string;
  #images = 0;
  #prepared = false;
  /** What lies for restores where writes are discarded: by streams and bytes. */
  #kept = '';

  constructor(run: Run, path: MainPath) {
    this.#run = run;
    this.#path = path;
    this.name = path.name;
    this.role = path.role;
    this.mode = path.mode;
    this.integrity = path.integrity;
    if (path.floor !== undefined) this.floor = path.floor;
    this.#lsu = path.servers === undefined ? 'bench' : path.name.replaceAll(/[^a-zA-Z]/g, '');
    this.measures = [
      { workload: 'write', unit: 'B/s', take: (load) => this.#write(load) },
      { workload: 'restore', unit: 'B/s', take: (load) => this.#restore(load) },
    ];
  }

  #place(server: 'write' | 'restore'): string[] {
    const { servers } = this.#path;
    return ['--lsu', this.#lsu, ...(servers === undefined ? [] : ['--server', `VastData:${servers[server]}`])];
  }

  #image(date: number, streams: number): (string | number)[] {
    return ['--image', 'b', '--date', date, '--streams', streams];
  }

  async #prepare(): Promise<void> {
    if (this.#prepared) return;
    this.#prepared = true;
    for (const server of this.#discards() ? (['write', 'restore'] as const) : (['write'] as const))
      await hostRun(this.#path.engine, ['create-lsu', ...this.#place(server)], this.#run.signal);
  }

  #discards(): boolean {
    const { servers } = this.#path;
    return servers !== undefined && servers.write !== servers.restore;
  }

  #backup(server: 'write' | 'restore', date: number, { streams, bytesPerStream }: Load): Promise<Taken> {
    const { engine } = this.#path;
    // Each image is other data where data is made anew at all.
    const data: DataOptions = { ...this.#run.data, seed: this.#run.data.seed + date * 100 };
    const args = [...this.#place(server), ...this.#image(date, streams), '--generate', bytesPerStream];
    return hostSample(engine, ['backup', ...args, ...dataArguments(data)], this.#run.signal);
  }

  async #write(load: Load): Promise<Taken> {
    await this.#prepare();
    this.#images++;
    return this.#backup('write', this.#images, load);
  }

  async #restore(load: Load): Promise<Taken> {
    const { streams, bytesPerStream } = load;
    let date = this.#images;
    if (this.#discards()) {
      date = streams;
      const kept = `${streams} of ${bytesPerStream}`;
      if (this.#kept !== kept) await this.#backup('restore', date, load);
      this.#kept = kept;
    }
    const args = [...this.#place('restore'), ...this.#image(date, streams), '--discard'];
    return hostSample(this.#path.engine, ['restore', ...args], this.#run.signal);
  }

  /** Space comes back before the next one measures: the trash is emptied here, not by the hourly janitor. */
  async clean({ streams }: Load): Promise<void> {
    if (this.#run.signal.aborted) return;
    const { engine, servers } = this.#path;
    for (let i = 1; i <= streams; i++) {
      const image = ['--image', `b_S${i}`, '--date', this.#images];
      await hostRun(engine, ['delete', ...this.#place('write'), ...image], this.#run.signal);
    }
    if (servers === undefined) rmSync(join(engine.store, this.#lsu, '.trash'), { recursive: true, force: true });
  }
}

/** Restores need what a write left, but not the other way round: without the workload `restore` they are left out. */
export function wanted(run: Run, subjects: readonly Subject[]): Subject[] {
  if (run.workloads.includes('restore')) return [...subjects];
  return subjects.map((subject) => {
    const { name, role, mode, integrity, floor, copies, store } = subject;
    const measures = subject.measures.filter(({ workload }) => workload !== 'restore');
    const clean = (load: Load): Promise<void> => subject.clean?.(load) ?? Promise.resolve();
    return { name, role, mode, integrity, floor, copies, store, measures, clean };
  });
}
