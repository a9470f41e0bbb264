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

/** Metas are collected until an answer holds this much: the last one may be as long as a meta gets, and still fit. */
export const answerBytesGood = 48 * 1024;

/** Bytes that a name with its meta adds to an answer. */
export function entryBytes(name: string, meta: string | null): number {
  return jsonBytes(name) + (meta === null ? 4 : jsonBytes(meta)) + '{"name":,"meta":},'.length;
}
