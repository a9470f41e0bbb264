/** The file that other programs copy: in memory, so that reading it costs them nothing but the copy. */
import { createCipheriv, createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataOptions } from '../run-context.ts';

const unitBytes = 1 << 20;
const granuleBytes = 4096;
/** Of what the source, and what each stream restores, need. */
const spare = 1.1;

/** Content of a unit, by the rule of native/host/shape.h: one in `dedup` is fresh, others are like one before. */
export function contentOf(unit: number, { dedup: asked, seed }: DataOptions): number {
  const dedup = Math.max(1, asked);
  const fresh = Math.floor(unit / dedup);
  if (unit === 0 || Math.floor((unit - 1) / dedup) !== fresh) return fresh;
  const draw = createHash('md5').update(`${seed} ${unit}`).digest().readUInt32LE();
  return draw % (fresh + 1);
}

/** Bytes that no two contents share and that do not compress, but for the rest of each 4 KiB, which is zero. */
export function unitOf(content: number, { compress, seed }: DataOptions): Buffer {
  const key = createHash('md5').update(`vast-ost-bench ${seed}`).digest();
  const start = Buffer.alloc(16);
  start.writeUInt32BE(content, 4);
  const bytes = createCipheriv('aes-128-ctr', key, start).update(Buffer.alloc(unitBytes));
  const kept = Math.ceil(granuleBytes / Math.max(1, compress));
  for (let at = 0; kept < granuleBytes && at < unitBytes; at += granuleBytes) {
    bytes.fill(0, at + kept, at + granuleBytes);
  }
  return bytes;
}

export class Source {
  readonly directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vast-ost-bench-'));
  readonly file = join(this.directory, 'source');
  readonly #data: DataOptions;
  #bytes = 0;
  /** A second signal ends the bench at once: memory would not come back by itself. */
  readonly #atExit = (): void => this.remove();

  constructor(data: DataOptions) {
    this.#data = data;
    process.once('exit', this.#atExit);
  }

  /** Null: there is room for the source and what `streams` restore of it; else why not. */
  refusal(streams: number, bytes: number): string | null {
    const { bavail, bsize } = statfsSync(this.directory);
    const need = (streams + 1) * bytes * spare - this.#bytes;
    if (need <= bavail * bsize) return null;
    const gb = (value: number): string => `${(value / 1e9).toFixed(1)} GB`;
    return `its files in memory need ${gb(need)}, ${this.directory} has ${gb(bavail * bsize)}: give a smaller --size`;
  }

  fill(bytes: number): void {
    if (this.#bytes === bytes) return;
    const file = openSync(this.file, 'w');
    try {
      for (let at = 0; at < bytes; at += unitBytes) {
        const unit = unitOf(contentOf(at / unitBytes, this.#data), this.#data);
        writeSync(file, unit, 0, Math.min(unitBytes, bytes - at));
      }
    } finally {
      closeSync(file);
    }
    this.#bytes = bytes;
  }

  restored(stream: number): string {
    return join(this.directory, `restored-${stream}`);
  }

  forgetRestored(streams: number): void {
    for (let i = 0; i < streams; i++) rmSync(this.restored(i), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
    process.off('exit', this.#atExit);
  }
}
