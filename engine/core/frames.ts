/** Cuts a byte stream into frames. Holds at most one frame's bytes: a longer or shorter one ends the connection. */
import { FrameError } from './layout.ts';
import { header, wire } from './wire.ts';

export class FrameCutter {
  #held: Buffer = Buffer.alloc(0);

  /**
   * Calls `take` with each whole frame (a view that is good only during the call). Throws FrameError on a length that
   * wire.h does not allow.
   */
  push(chunk: Buffer, take: (from: Buffer, at: number, length: number) => void): void {
    const all = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (all.length - at >= header.size) {
      const length = all.readUInt32LE(at);
      if (length < header.size || length > wire.frameMax) throw new FrameError(`a frame of ${length} bytes`);
      if (all.length - at < length) break;
      take(all, at, length);
      at += length;
    }
    this.#held = at === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(at));
  }
}
