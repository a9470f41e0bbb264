/** Tokens and image ids: 16 random bytes in hex. The bytes come a page at a time: asking for them is half of the cost. */
import { randomFillSync } from 'node:crypto';
import { wire } from '../core/wire.ts';

const page = Buffer.alloc(256 * wire.tokenBytes);
let used = page.length;

export function newToken(): string {
  if (used === page.length) {
    randomFillSync(page);
    used = 0;
  }
  const from = used;
  used += wire.tokenBytes;
  return page.toString('hex', from, used);
}
