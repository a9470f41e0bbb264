/**
 * What an image and an LSU are called on storage.
 *
 * Names come from the host program and are byte strings: any byte but NUL. Here they are latin1 strings, one character
 * a byte (0 … 255), so that no byte is lost and no decoding can fail.
 *
 *   escaped   [A-Za-z0-9._-] stand for themselves, every other byte is =XX (upper-case hex), and so is a leading dot:
 *             no name is hidden, none is "." or "..", none holds "/"
 *   key name  escaped(basename) ~ date                  of an image; of an LSU: escaped(name)
 *   directory the key name, or where that is longer than 200 bytes: its first 120 bytes, "=~", SHA-256 of it in hex
 *
 * "=" is always followed by two hex digits in a key name, so a hashed directory name is never a key name, and two keys
 * never share a directory. A hashed name does not give its key back: the meta (and `.lsu`) hold it and are compared.
 */
import { createHash } from 'node:crypto';

/** A directory name is never longer; file systems allow 255, temporaries need some of it. */
export const dirNameBytesMax = 200;
const hashedPrefixBytes = 120;
/** Seconds since 1970; above it a number would lose digits. */
export const dateMax = Number.MAX_SAFE_INTEGER;

export interface ImageKey {
  /** Byte string, 1 … 255 bytes. */
  readonly lsu: string;
  /** Byte string, 1 … 1,023 bytes. */
  readonly basename: string;
  /** Seconds since 1970, 0 … dateMax. */
  readonly date: number;
}

const escapes = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return /[A-Za-z0-9._-]/.test(char) ? char : hexEscape(byte);
});
/** Names that stand for themselves: nearly all. */
const plainForm = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const escapedForm = /^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})(?:[A-Za-z0-9._-]|=[0-9A-F]{2})*$/;
const dateForm = /^(?:0|[1-9][0-9]{0,15})$/;
const hashedForm = /=~[0-9a-f]{64}$/;

function hexEscape(byte: number): string {
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Throws on an empty name and on characters above 255: a bug of the caller, intake has checked both. */
export function escapeName(bytes: string): string {
  if (plainForm.test(bytes)) return bytes;
  if (bytes.length === 0) throw new RangeError('a name has at least one byte');
  let escaped = bytes[0] === '.' ? hexEscape(0x2e) : '';
  for (let i = escaped === '' ? 0 : 1; i < bytes.length; i++) {
    const escapedByte = escapes[bytes.charCodeAt(i)];
    if (escapedByte === undefined) throw new RangeError('a name is a string of bytes');
    escaped += escapedByte;
  }
  return escaped;
}

/** The bytes, or null for a text that escapeName does not make of a name: a NUL would end it too early in C. */
export function unescapeName(escaped: string): string | null {
  if (plainForm.test(escaped)) return escaped;
  if (!escapedForm.test(escaped)) return null;
  const bytes = escaped.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return escapeName(bytes) === escaped && !bytes.includes('\0') ? bytes : null;
}

/** Escaped basename and date: the image's part of the key in its meta, at most 3 × 1,023 + 17 bytes. */
export function imageKeyName(basename: string, date: number): string {
  if (!Number.isSafeInteger(date) || date < 0) throw new RangeError(`${date} is no date`);
  return `${escapeName(basename)}~${date}`;
}

/** The image's directory below its LSU. */
export function imageDirName(basename: string, date: number): string {
  return shorten(imageKeyName(basename, date));
}

/** The LSU's directory below the storage root. */
export function lsuDirName(lsu: string): string {
  return shorten(escapeName(lsu));
}

function shorten(name: string): string {
  if (name.length <= dirNameBytesMax) return name;
  const hash = createHash('sha256').update(name, 'latin1').digest('hex');
  return `${name.slice(0, hashedPrefixBytes)}=~${hash}`;
}

/** What a directory name tells: the key, 'hashed' (only the meta knows it), or null: not a name of ours. */
export function parseImageDirName(dir: string): { basename: string; date: number } | 'hashed' | null {
  if (isHashedName(dir)) return 'hashed';
  return parseImageKeyName(dir, dirNameBytesMax);
}

/** The reverse of imageKeyName; null for any other text. */
export function parseImageKeyName(name: string, bytesMax = Infinity): { basename: string; date: number } | null {
  if (name.length > bytesMax) return null;
  const tilde = name.lastIndexOf('~');
  if (tilde < 0) return null;
  const digits = name.slice(tilde + 1);
  const date = Number(digits);
  if (!dateForm.test(digits) || date > dateMax) return null;
  const basename = unescapeName(name.slice(0, tilde));
  return basename === null ? null : { basename, date };
}

/** The LSU's bytes, 'hashed' (only `.lsu` knows them), or null: not a name of ours, never listed. */
export function parseLsuDirName(dir: string): { lsu: string } | 'hashed' | null {
  if (isHashedName(dir)) return 'hashed';
  if (dir.length > dirNameBytesMax) return null;
  const lsu = unescapeName(dir);
  return lsu === null ? null : { lsu };
}

function isHashedName(dir: string): boolean {
  return dir.length === hashedPrefixBytes + 2 + 64 && hashedForm.test(dir) && /^[A-Za-z0-9_=-]/.test(dir);
}

/** A byte string for a reader: as UTF-8 text where it is that and printable, else escaped. */
export function displayName(bytes: string): string {
  if (/^[\x20-\x7e]+$/.test(bytes)) return bytes;
  const text = utf8Text(bytes);
  return text === null || /\p{C}/u.test(text) ? escapeName(bytes) : text;
}

/** The text whose UTF-8 bytes these are, or null. Exact both ways: nothing is replaced, no mark is eaten. */
export function utf8Text(bytes: string): string | null {
  if (/^[\x20-\x7e]*$/.test(bytes)) return bytes;
  try {
    return utf8Decoder.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return null;
  }
}
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of a text, as a byte string: what the command line and tests hand in. */
export function byteName(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
