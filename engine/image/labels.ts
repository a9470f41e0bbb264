/**
 * What the object of an image's data says of it (x-amz-meta-*), for people and tools that look at the bucket. Nothing of
 * ours ever reads it: names that were cut or escaped here stand whole in image.meta.
 *
 * Names are byte strings from outside; what becomes a header holds no byte of theirs but [A-Za-z0-9._~/:@+-], every other
 * one is %XX, so that decodeURIComponent gives back a name that was UTF-8.
 */
import type { Labels } from '../core/store.ts';
import { type ImageMeta, metaFormat } from './meta.ts';

/** Of a value; one that is longer is cut and ends in '...'. With names and format they are below what a probe tries. */
const imageBytesMax = 700;
const fieldBytesMax = 350;
const mark = '...';

const values = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return /[A-Za-z0-9._~/:@+-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

type Named = Pick<ImageMeta, 'basename' | 'date' | 'policy' | 'schedule' | 'client'>;

/** What is not known has no label. */
export function labelsOf({ basename, date, policy, schedule, client }: Named): Labels {
  const labels: Record<string, string> = { format: `vast-ost-${metaFormat}` };
  const behind = `~${date}`;
  labels.image = labelValue(basename, imageBytesMax - behind.length) + behind;
  for (const [name, value] of Object.entries({ policy, schedule, client })) {
    if (value !== null && value !== '') labels[name] = labelValue(value, fieldBytesMax);
  }
  return labels;
}

/** `bytes` as a header may carry it, cut to `max` characters: never inside an escape, nor inside a UTF-8 character. */
export function labelValue(bytes: string, max: number): string {
  const whole = Array.from(bytes, (char) => values[char.charCodeAt(0)] ?? '%3F');
  let length = whole.reduce((sum, { length }) => sum + length, 0);
  if (length <= max) return whole.join('');
  let count = whole.length;
  while (count > 0 && (length > max - mark.length || isInside(bytes, count))) length -= whole[--count]?.length ?? 0;
  return whole.slice(0, count).join('') + mark;
}

/** The byte there goes on with a UTF-8 character; of bytes that are no UTF-8 nobody can tell, and some more may go. */
function isInside(bytes: string, at: number): boolean {
  return (bytes.charCodeAt(at) & 0xc0) === 0x80;
}
