/** The bytes of one body as a fault bends them: flipped, sent twice, cut short. Its length stays what was promised. */
import type { ProxyAction, Side } from './fault-data.ts';

export class BentBody {
  readonly #action: ProxyAction | null;
  /** Bytes that came, and bytes that may still go out. */
  #at = 0;
  #room: number;
  #twice: Buffer[] = [];
  /** Bytes were changed. */
  isBent = false;

  /** `length`: null where nobody knows it; then nothing is bent. */
  constructor(action: ProxyAction | null, side: Side, length: number | null) {
    const isMine = action !== null && ('side' in action ? action.side === side : side === 'out');
    this.#action = isMine && length !== null ? action : null;
    const short = this.#action?.do === 'shortBody' ? this.#action.bytes : 0;
    this.#room = length === null ? Number.POSITIVE_INFINITY : Math.max(0, length - short);
  }

  take(bytes: Buffer): Buffer {
    const action = this.#action;
    const from = this.#at;
    this.#at += bytes.length;
    let bent = bytes;
    if (action?.do === 'flip' && action.offset >= from && action.offset < this.#at) {
      this.isBent = true;
      bent = Buffer.from(bytes);
      bent.writeUInt8(bent.readUInt8(action.offset - from) ^ (1 << action.bit), action.offset - from);
    } else if (action?.do === 'duplicate') bent = this.#duplicated(bytes, from, action.offset, action.bytes);
    bent = bent.subarray(0, Math.min(bent.length, this.#room));
    this.#room -= bent.length;
    return bent;
  }

  #duplicated(bytes: Buffer, from: number, offset: number, count: number): Buffer {
    const end = offset + count;
    const piece = bytes.subarray(Math.max(0, offset - from), Math.max(0, end - from));
    if (from < end && piece.length > 0) this.#twice.push(Buffer.from(piece));
    if (from >= end || from + bytes.length < end) return bytes;
    this.isBent = true;
    return Buffer.concat([bytes.subarray(0, end - from), ...this.#twice.splice(0), bytes.subarray(end - from)]);
  }
}
