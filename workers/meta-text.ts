/** The text of an image.meta as it travels in a lane's area. */
import { metaBytesMax } from './store.ts';

const cutChars = 1024;

/**
 * A whole meta is UTF-8 JSON of at most `metaBytesMax` bytes, which written as a JSON string again is at most twice as
 * long. What is longer than either is no meta: its beginning is enough to be refused by whoever reads it.
 */
export function metaText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const tooLong = bytes.length > metaBytesMax || jsonBytes(text) > 2 * metaBytesMax;
  return tooLong ? text.slice(0, cutChars) : text;
}

/** Bytes that a text takes as a JSON string. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
