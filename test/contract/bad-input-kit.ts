/** What the tests of hostile frames share: an engine under attack with a bystander, and frames made by hand. */
import { expect } from 'vitest';
import { type FrameType, frame, header, type Layouts, layouts, wire } from '../../engine/core/wire.ts';
import { TestEngine } from '../support/engine.ts';
import { type Baseline, baseline, settled, until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import type { WireClient } from '../support/wire-client.ts';

const mib = 1 << 20;

/** An engine with a complete image `done` of 3 MiB, and a bystander who writes through all that is done to it. */
export class AttackedEngine implements AsyncDisposable {
  readonly engine: TestEngine;
  readonly #from: Baseline;
  readonly #bystander: HostScript;
  #written = 0;
  /** Lines of the log that earlier attacks have caused. */
  #seen = 0;

  private constructor(engine: TestEngine, from: Baseline, bystander: HostScript) {
    this.engine = engine;
    this.#from = from;
    this.#bystander = bystander;
  }

  static async start(): Promise<AttackedEngine> {
    const engine = await TestEngine.start({ config: { engine: { max_memory_mb: 256, handles_max: 32 } } });
    const from = baseline(engine);
    const bystander = await engine.script();
    await bystander.ok('create_lsu v lsu');
    await bystander.ok('create_image v done lsu done 7');
    await bystander.ok(`write done 0 ${3 * mib} 3`);
    await bystander.ok('close done 1');
    await bystander.ok('create_image v i lsu bystander 7');
    return new AttackedEngine(engine, from, bystander);
  }

  get socket(): string {
    return this.engine.socket;
  }

  /** Others are served on. */
  async servedOn(): Promise<void> {
    await this.#bystander.ok(`write i ${this.#written} 512 9`);
    this.#written += 512;
    await this.#bystander.ok('server_prop v');
    this.#seen = this.engine.log().length;
  }

  /** The connection is ended, and the log says why. */
  async endedFor(client: WireClient, why: string): Promise<void> {
    await client.ended;
    const told = () => this.engine.log().slice(this.#seen);
    await until(() => told().some((line) => String(line.why).includes(why)));
    await this.servedOn();
  }

  /** The bystander's image is whole, and the engine holds nothing any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    const bystander = this.#bystander;
    await bystander.ok('close i 1');
    await bystander.ok('open_image v r lsu bystander 7 read');
    const read = await bystander.ok(`read r 0 ${4 * mib} expect=9`);
    expect(read).toMatchObject({ got: this.#written, match: true });
    await bystander[Symbol.asyncDispose]();
    await settled(this.engine, this.#from);
    await this.engine[Symbol.asyncDispose]();
  }
}

/** A frame with numbers in it that encodeFrame would not take. */
export function forged<K extends keyof Layouts>(
  kind: K,
  type: FrameType,
  callId: number,
  numbers: Record<string, bigint | number>,
): Buffer {
  const layout = layouts[kind];
  const bytes = Buffer.alloc(layout.size);
  bytes.writeUInt32LE(bytes.length, header.offsets.length);
  bytes.writeUInt16LE(type, header.offsets.type);
  bytes.writeBigUInt64LE(BigInt(callId), header.offsets.call_id);
  for (const [field, value] of Object.entries(numbers)) {
    const at = (layout.offsets as Record<string, number>)[field] as number;
    const width = (layout.fields as unknown as Record<string, string>)[field];
    if (width === 'u64') bytes.writeBigUInt64LE(BigInt(value), at);
    else if (width === 'u32') bytes.writeUInt32LE(Number(value), at);
    else bytes.writeUInt16LE(Number(value), at);
  }
  return bytes;
}

export function rawHeader(length: number, type: number, callId = 1n): Buffer {
  const bytes = Buffer.alloc(header.size);
  bytes.writeUInt32LE(length, header.offsets.length);
  bytes.writeUInt16LE(type, header.offsets.type);
  bytes.writeBigUInt64LE(callId, header.offsets.call_id);
  return bytes;
}

export function hello(): Buffer {
  const numbers = { magic: wire.magic, major: wire.major, minor: wire.minor };
  return forged('hello', frame.hello, 1, numbers);
}

export function withText(bytes: Buffer, at: number, text: string): Buffer {
  bytes.write(text, at, 'latin1');
  return bytes;
}
