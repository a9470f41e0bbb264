/**
 * Over plain http nothing but the ETag tells whether a small object (a meta, a claim, a tail) came as it is stored: it is
 * the MD5 of the bytes, at most endpoints. Not a proof of anything but a reason to ask again.
 */
import { createHash } from 'node:crypto';

export class Etags {
  /** Of this bucket: MD5s, as an answer has shown, or something else. */
  #are: 'unknown' | 'md5' | 'other' = 'unknown';

  /** Nothing speaks against these bytes. */
  vouchFor(bytes: Uint8Array, etag: string): boolean {
    const [, told] = /^"?([0-9a-f]{32})"?$/.exec(etag) ?? [];
    if (told === undefined || this.#are === 'other') return true;
    const agrees = createHash('md5').update(bytes).digest('hex') === told;
    if (agrees) this.#are = 'md5';
    return agrees;
  }

  /** The same bytes came twice, and do not agree with their ETag: that is how they are stored. */
  twice(): void {
    if (this.#are === 'unknown') this.#are = 'other';
  }
}
