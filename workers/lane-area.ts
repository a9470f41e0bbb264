/** The area as its lane sees it: what came with the order, and what goes back with the completion. */
import { areaBinaryBytes, areaBytes, areaTextBytes } from '../engine/core/order.ts';

export class LaneArea {
  /** All CRCs that fit; an order's own come first. */
  readonly crcs: BigUint64Array<SharedArrayBuffer>;
  /** The same memory as bytes. */
  readonly crcBytes: Uint8Array<SharedArrayBuffer>;
  /** What the completion carries. */
  textBytes = 0;
  crcCount = 0;
  retries = 0;
  readonly #bytes: Buffer<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.crcs = new BigUint64Array(memory, areaTextBytes, areaBinaryBytes / 8);
    this.crcBytes = new Uint8Array(memory, areaTextBytes, areaBinaryBytes);
    this.#bytes = Buffer.from(memory, 0, areaBytes);
  }

  clear(): void {
    this.textBytes = 0;
    this.crcCount = 0;
    this.retries = 0;
  }

  text(bytes: number): string {
    return this.#bytes.toString('utf8', 0, bytes);
  }

  /** In the place of CRCs. Throws RangeError where they do not fit. */
  answerBytes(bytes: Uint8Array): void {
    this.crcBytes.set(bytes);
    this.crcCount = Math.ceil(bytes.length / 8);
  }

  /** Returns false, and answers nothing, when the text does not fit. */
  answerText(text: string): boolean {
    if (text.length * 3 > areaBytes && Buffer.byteLength(text) > areaBytes) return false;
    this.textBytes = this.#bytes.write(text, 0);
    return true;
  }
}
