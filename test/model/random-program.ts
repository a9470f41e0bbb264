/** Random programs of all calls, through the real plug-in, held against the model after every call. */
import { expect } from 'vitest';
import type { Answer, HostScript } from '../support/host-program.ts';
import {
  cellBytes,
  chunkCells,
  expectation,
  type ModelImage,
  ModelStore,
  type ModelWriter,
  type StoreTraits,
} from './image-model.ts';

/** mulberry32: small, and the same everywhere. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const keysMax = 4;
const stepsPerKill = 60;

interface Handle {
  name: string;
  key: string;
  image: ModelImage;
  /** Readers keep what they opened, also when it is deleted. */
  cells: number[] | null;
  metadata: number[];
}

/** Who makes the calls, in what kind of store. */
export interface Caller {
  host: HostScript;
  readonly traits: StoreTraits;
  /** Kills the engine, starts it again and connects anew. Not given: it is never killed. */
  readonly restart?: () => Promise<HostScript>;
}

export class Program {
  readonly #caller: Caller;
  readonly #lsu: string;
  readonly #next: () => number;
  readonly #model: ModelStore;
  readonly #handles: Handle[] = [];
  #names = 0;
  #seeds = 0;
  readonly trace: string[] = [];

  constructor(caller: Caller, lsu: string, seed: number) {
    this.#caller = caller;
    this.#model = new ModelStore(caller.traits);
    this.#lsu = lsu;
    this.#next = random(seed);
  }

  /** Runs `steps` calls, then closes all and compares the whole store. Throws with the trace of calls. */
  async run(steps: number): Promise<void> {
    await this.#caller.host.ok(`create_lsu v ${this.#lsu}`);
    for (let i = 0; i < steps; i++) await this.#step();
    for (const handle of [...this.#handles]) await this.#close(handle);
    await this.#compareAll();
  }

  async #call(line: string, ...statuses: readonly string[]): Promise<Answer> {
    this.trace.push(line);
    const answer = await this.#caller.host.call(line);
    expect(statuses, `${line}: ${answer.text}\n${this.trace.join('\n')}`).toContain(answer.name);
    return answer;
  }

  #below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  #key(): string {
    return `k${this.#below(keysMax)}`;
  }

  #pick(mode: 'read' | 'write'): Handle | null {
    const some = this.#handles.filter((handle) => (handle.cells === null) === (mode === 'write'));
    return some[this.#below(some.length)] ?? null;
  }

  async #step(): Promise<void> {
    if (this.#caller.restart !== undefined && this.#below(stepsPerKill) === 0) return this.#kill();
    const writer = this.#pick('write');
    const reader = this.#pick('read');
    const dice = this.#below(100);
    if (dice < 10) return this.#create(this.#key());
    if (dice < 16) return this.#openWrite(this.#key());
    if (dice < 24) return this.#openRead(this.#key());
    if (dice < 28) return this.#delete(this.#key());
    if (dice < 31) return this.#copy(this.#key(), this.#key());
    if (dice < 34) return this.#list();
    if (dice < 37) return this.#property(this.#key());
    if (dice < 72 && writer !== null) return this.#write(writer);
    if (dice < 78 && writer !== null) return this.#flush(writer);
    if (dice < 82 && writer !== null) return this.#metadata(writer);
    if (dice < 88 && writer !== null) return this.#close(writer);
    if (dice < 98 && reader !== null) return this.#read(reader);
    if (reader !== null) return this.#close(reader);
  }

  #opened(key: string, name: string, cells: number[] | null): void {
    const image = this.#model.images.get(key) as ModelImage;
    this.#handles.push({ name, key, image, cells, metadata: [...image.metadata] });
  }

  async #create(key: string): Promise<void> {
    const name = `h${this.#names++}`;
    const status = this.#model.create(key);
    await this.#call(`create_image v ${name} ${this.#lsu} ${key} 1`, status);
    if (status === 'STS_EOK') this.#opened(key, name, null);
  }

  async #openWrite(key: string): Promise<void> {
    const name = `h${this.#names++}`;
    const status = this.#model.openWrite(key);
    await this.#call(`open_image v ${name} ${this.#lsu} ${key} 1 2`, status);
    if (status === 'STS_EOK') this.#opened(key, name, null);
  }

  async #openRead(key: string): Promise<void> {
    const name = `h${this.#names++}`;
    const status = this.#model.openRead(key);
    await this.#call(`open_image v ${name} ${this.#lsu} ${key} 1 1`, status);
    if (status === 'STS_EOK') this.#opened(key, name, [...(this.#model.images.get(key) as ModelImage).durable]);
  }

  async #delete(key: string): Promise<void> {
    await this.#call(`delete v ${this.#lsu} ${key} 1`, this.#model.delete(key));
  }

  async #copy(from: string, to: string): Promise<void> {
    await this.#call(`copy v ${this.#lsu} ${to} 1 ${this.#lsu} ${from} 1`, this.#model.copy(from, to));
  }

  /** Mostly in order, sometimes over what is there, sometimes beyond the end; ragged sizes, block and chunk borders. */
  async #write(handle: Handle): Promise<void> {
    const writer = writerOf(handle);
    const { imageCellsMax } = this.#model.traits;
    const at = this.#place(writer);
    if (at >= imageCellsMax) return;
    const most = Math.ceil(imageCellsMax / 2);
    const sizes = [1, 1 + this.#below(16), 8 * (1 + this.#below(64)), chunkCells, 1 + this.#below(most)];
    const count = Math.min(sizes[this.#below(sizes.length)] as number, imageCellsMax - at);
    this.#seeds = (this.#seeds % 60_000) + 1;
    const allowed = this.#model.write(handle.image, at, count, this.#seeds);
    const answer = await this.#call(
      `write ${handle.name} ${at * cellBytes} ${count * cellBytes} ${this.#seeds}`,
      ...allowed,
    );
    this.#model.told(handle.image, answer.name);
  }

  #place({ cells, firstLimit }: ModelWriter): number {
    const end = cells.length;
    const { writes, imageCellsMax } = this.#model.traits;
    // Where every other place is refused most writes go on.
    if (writes === 'in order' && this.#below(20) > 0) return end;
    const style = this.#below(10);
    const hole = cells.indexOf(0);
    let at = end;
    if (style === 7) at = this.#below(end + 1);
    else if (style === 8) at = end + this.#below(2 * chunkCells);
    else if (style === 9) at = Math.floor(this.#below(end + 1) / chunkCells) * chunkCells;
    else if (hole >= 0 && style < 4) at = hole;
    return Math.min(at, imageCellsMax - 1, firstLimit);
  }

  async #flush(handle: Handle): Promise<void> {
    await this.#call(`flush ${handle.name}`, this.#model.flush(handle.image));
  }

  async #metadata(handle: Handle): Promise<void> {
    const writer = writerOf(handle);
    const at = this.#below(writer.metadata.length + 1);
    const bytes = Array.from({ length: 1 + this.#below(40) }, () => this.#below(256));
    const line = `meta_write_bytes ${handle.name} ${at} hex:${Buffer.from(bytes).toString('hex')}`;
    const written = await this.#call(line, ...this.#model.late(writer));
    this.#model.told(handle.image, written.name);
    if (written.status === 0) for (const [i, byte] of bytes.entries()) writer.metadata[at + i] = byte;
    const answer = await this.#call(`meta_read ${handle.name} 0 65536`, 'STS_EOK');
    expect(answer.hex).toBe(Buffer.from(writer.metadata).toString('hex'));
  }

  async #read(handle: Handle): Promise<void> {
    const cells = handle.cells as number[];
    const size = cells.length * cellBytes;
    const offset = this.#below(3) === 0 ? 0 : this.#below(size + 1000);
    const length = 1 + this.#below(this.#below(2) === 0 ? 5000 : size + 5000);
    const got = Math.max(0, Math.min(length, size - offset));
    const expected = got > 0 ? ` expect=${expectation(cells, offset, length)}` : '';
    const isThere = this.#model.images.get(handle.key) === handle.image;
    const gone = isThere ? [] : this.#model.traits.deletedSays;
    const answer = await this.#call(`read ${handle.name} ${offset} ${length}${expected}`, 'STS_EOK', ...gone);
    if (answer.status !== 0) return;
    expect(answer, this.trace.join('\n')).toMatchObject({ got, ...(got > 0 ? { match: true } : {}) });
  }

  async #close(handle: Handle): Promise<void> {
    this.#handles.splice(this.#handles.indexOf(handle), 1);
    if (handle.cells !== null) {
      await this.#call(`close ${handle.name} 0`, 'STS_EOK');
      return;
    }
    const complete = this.#below(3) > 0;
    const before = handle.image.durable.length;
    const { outcome, durable } = this.#model.close(handle.image, complete);
    await this.#call(`close ${handle.name} ${complete ? 1 : 0}`, outcome);
    if (!durable) await this.#afterFailedClose(handle, before);
  }

  /**
   * A close over a hole leaves the last durable state, or less where a write below it had begun; one after a write that
   * was refused leaves that state, or what became durable since.
   */
  async #afterFailedClose(handle: Handle, before: number): Promise<void> {
    const answer = await this.#call(`prop_byname v ${this.#lsu} ${handle.key} 1`, 'STS_EOK');
    const durable = Number(answer.durable) / cellBytes;
    expect(
      this.#model.abandoned(handle.image, durable),
      `durable ${durable} of ${before}\n${this.trace.join('\n')}`,
    ).toBe(true);
  }

  /** The engine dies, with every handle: of each image that was written what was durable is left. */
  async #kill(): Promise<void> {
    if (this.#caller.restart === undefined) throw new Error('nobody restarts the engine');
    this.trace.push('kill -9 of the engine');
    this.#caller.host = await this.#caller.restart();
    for (const handle of this.#handles.splice(0)) {
      if (handle.cells === null) await this.#afterFailedClose(handle, handle.image.durable.length);
    }
  }

  async #property(key: string): Promise<void> {
    const image = this.#model.images.get(key);
    const answer = await this.#call(`prop_byname v ${this.#lsu} ${key} 1`, image ? 'STS_EOK' : 'STS_ENOENT');
    if (image === undefined || image.writer !== null) return;
    expect(answer, this.trace.join('\n')).toMatchObject({ size: image.durable.length * cellBytes, state: image.state });
  }

  async #list(): Promise<void> {
    for (const states of ['all', 'complete', 'pending']) {
      const answer = await this.#call(`list_images v ${this.#lsu} ${states}`, 'STS_EOK');
      const names = (answer.images as { image_hex: string }[]).map((image) => image.image_hex).sort();
      const expected = [...this.#model.images].filter(([, image]) => states === 'all' || image.state === states);
      expect(names, this.trace.join('\n')).toEqual(expected.map(([key]) => Buffer.from(key).toString('hex')).sort());
    }
  }

  /** Every image: state, size, bytes, metadata; pending ones by completing them. */
  async #compareAll(): Promise<void> {
    await this.#list();
    for (const [key, image] of this.#model.images) {
      if (image.state === 'pending') {
        await this.#call(`open_image v w ${this.#lsu} ${key} 1 2`, this.#model.openWrite(key));
        await this.#call('close w 1', this.#model.close(image, true).outcome);
      }
      await this.#call(`open_image v r ${this.#lsu} ${key} 1 1`, 'STS_EOK');
      const size = image.durable.length * cellBytes;
      const expected = size > 0 ? ` expect=${expectation(image.durable, 0, size)}` : '';
      const answer = await this.#call(`read r 0 ${size + 1}${expected}`, 'STS_EOK');
      expect(answer, this.trace.join('\n')).toMatchObject({ got: size, ...(size > 0 ? { match: true } : {}) });
      const metadata = await this.#call('meta_read r 0 65536', 'STS_EOK');
      expect(metadata.hex, this.trace.join('\n')).toBe(Buffer.from(image.metadata).toString('hex'));
      await this.#call('close r 0', 'STS_EOK');
      await this.#call(`delete v ${this.#lsu} ${key} 1`, this.#model.delete(key));
    }
  }
}

function writerOf({ image }: Handle): ModelWriter {
  if (image.writer === null) throw new Error('no writer');
  return image.writer;
}

const stepsMax = 40;

/** Programs of the seeds from `seed` on, each in an LSU of its own; of VAST_OST_PROGRAM alone, where it is given. */
export async function runPrograms(caller: Caller, programs: number, seed: number): Promise<void> {
  const only = process.env.VAST_OST_PROGRAM;
  const seeds = only ? [Number(only)] : Array.from({ length: programs }, (_, i) => seed + i);
  for (const [i, own] of seeds.entries()) {
    const program = new Program(caller, `l${i}`, own);
    await program.run(stepsMax).catch((error: Error) => {
      throw new Error(`program ${own}: ${error.message}\nagain: VAST_OST_PROGRAM=${own}\n${program.trace.join('\n')}`, {
        cause: error,
      });
    });
  }
}
