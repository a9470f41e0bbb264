/** One range of bytes, as Range and x-amz-copy-source-range name it. */
import { S3Error } from './error.ts';

export interface ByteRange {
  start: number;
  /** Behind the last byte. */
  end: number;
}

/** null: no range, or none that HTTP tells a server to follow (other units, several ranges). Throws InvalidRange. */
export function readRange(header: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return null;
  const first = match[1] === '' ? null : Number(match[1]);
  const last = match[2] === '' ? null : Number(match[2]);
  if (first !== null && last !== null && last < first) return null;
  const start = first ?? Math.max(0, size - last!);
  const end = first === null || last === null ? size : Math.min(size, last + 1);
  if (start >= size || start >= end) {
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
      RangeRequested: header!,
      ActualObjectSize: String(size),
    });
  }
  return { start, end };
}
