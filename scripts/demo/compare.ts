/** Two files byte for byte, without holding either in memory. */
import { closeSync, openSync, readSync } from 'node:fs';

const chunkBytes = 4 * 1024 * 1024;

/** Fills the buffer from `offset`, less only at the end of the file. */
function readFully(file: number, buffer: Buffer, offset: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const got = readSync(file, buffer, filled, buffer.length - filled, offset + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

/** Null when they are identical, else the offset of the first difference (the length of the shorter one included). */
export function firstDifference(left: string, right: string): number | null {
  const files = [openSync(left, 'r'), openSync(right, 'r')];
  const buffers = files.map(() => Buffer.allocUnsafe(chunkBytes));
  try {
    for (let offset = 0; ; ) {
      const [a, b] = files.map((file, i) => readFully(file, buffers[i], offset));
      const length = Math.min(a, b);
      if (buffers[0].compare(buffers[1], 0, length, 0, length) !== 0) {
        for (let i = 0; ; i++) if (buffers[0][i] !== buffers[1][i]) return offset + i;
      }
      offset += length;
      if (a !== b) return offset;
      if (a === 0) return null;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}
