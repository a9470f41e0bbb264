/** One backup stream: a host program that writes an image in buffers of 256 KiB, and reads it again. */
import type { HostScript } from '../support/host-program.ts';

export const lsu = 'load';
const bufferBytes = 256 * 1024;
/** One line of the script: the stream decides between two of them whether it goes on. */
const buffersPerLine = 16;
export const lineBytes = bufferBytes * buffersPerLine;

export class Stream {
  readonly name: string;
  readonly #host: HostScript;
  readonly #seed: number;
  size = 0;

  constructor(host: HostScript, number: number, seed: number) {
    this.#host = host;
    this.name = `stream-${number}`;
    this.#seed = seed + number;
  }

  /**
   * Writes `leastBytes`, and goes on until `enough`: a stream that stopped to wait for others would keep its slots from
   * them. Throws at `mostBytes`.
   */
  async write(leastBytes: number, mostBytes: number, enough: () => boolean): Promise<void> {
    await this.#host.ok(`create_image v i ${lsu} ${this.name} 7`);
    for (; this.size < leastBytes || !enough(); this.size += lineBytes) {
      if (this.size >= mostBytes) throw new Error(`${this.name}: ${this.size} bytes written, and others still waited`);
      await this.#host.ok(`write i ${this.size} ${bufferBytes} ${this.#seed} times=${buffersPerLine}`);
    }
    await this.#host.ok('close i complete');
  }

  /** What is wrong with the image as it is read; null: nothing. */
  async check(): Promise<string | null> {
    const { state } = await this.#host.ok(`prop_byname v ${lsu} ${this.name} 7`);
    if (state !== 'complete') return `${this.name} is ${state}`;
    await this.#host.ok(`open_image v r ${lsu} ${this.name} 7 read`);
    for (let at = 0; at < this.size; at += lineBytes) {
      const line = `read r ${at} ${bufferBytes} times=${buffersPerLine} expect=${this.#seed}`;
      const { got, match, mismatch_at: where } = await this.#host.ok(line);
      if (got !== lineBytes || match !== true) return `${this.name} at ${at}: ${got} bytes, match ${match} ${where}`;
    }
    await this.#host.ok('close r 0');
    return null;
  }
}
