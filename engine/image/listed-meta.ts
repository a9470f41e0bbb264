/**
 * What a list shows of an image, from the bytes of its meta: much less work than decodeMeta. It takes only the text that
 * the engine itself writes for an image of one file whose names and fields are printable ASCII, field by field, with the
 * CRC over the very bytes. For all else the answer is null, and decodeMeta has to say what it is. What it takes,
 * decodeMeta takes too.
 */

import { creationDate, definitionOpaqueBytesMax, fieldBytesMax, opaqueBytesMax } from './meta.ts';
import { brokenRule } from './meta-rules.ts';
import { type Crc64, isChunkBytes } from './sums.ts';

/** The image as its directory names it. */
export interface ListedKey {
  /** Escaped. */
  readonly lsu: string;
  readonly dir: string;
  readonly basename: string;
  readonly date: number;
}

export interface ListedMeta {
  readonly state: 'pending' | 'complete';
  readonly policy: string;
  readonly schedule: string;
  readonly client: string;
  readonly opaque: Uint8Array;
}

const crcBefore = ',\n  "meta_crc64": "';
const crcBehind = '"\n}\n';
const crcDigits = 16;
const sealLength = crcBefore.length + crcDigits + crcBehind.length;
const endOfObject = Buffer.from('\n}\n', 'latin1');
const nothing = new Uint8Array(0);

/** One that is longer is rare, and no list needs it quickly. */
const quickBytesMax = 16 * 1024;
const unsealed = Buffer.alloc(quickBytesMax);

/** Without what JSON would have to escape. */
const text = String.raw`[\x20\x21\x23-\x5b\x5d-\x7e]`;
const field = `(null|"${text}{1,${fieldBytesMax}}")`;
const number = '(0|[1-9][0-9]{0,15})';
const crc64 = '[0-9a-f]{16}';
/** The one way to write its bytes. */
const base64 = '((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?)';

const form = new RegExp(
  `^\\{
  "image_name": "(${text}+)",
  "creation_date": (null|"[^"\\n]+"),
  "size": ${number},
  "fragments": 1,
  "checksum": (?:null|"sha256:([0-9a-f]{64})"),
  "netbackup_metadata": \\{
    "policy": ${field},
    "schedule": ${field},
    "client": ${field}
  \\},
  "format": 1,
  "state": "(pending|complete)",
  "key": \\{
    "lsu": "([A-Za-z0-9._=-]+)",
    "name": "([A-Za-z0-9._=~-]+)",
    "date": ${number}
  \\},
  "image_id": "[0-9a-f]{32}",
  "writer_token": "[0-9a-f]{32}",
  "durable_size": ${number},
  "fragment_list": \\[
    \\{
      "name": "image\\.data(?:\\.[0-9]{4,8})?",
      "size": ${number},
      "crc64": (null|"${crc64}")
    \\}
  \\],
  "checksum_mode": "(sha256|none)",
  "sums": (?:null|\\{
    "chunk_bytes": ${number},
    "crc64": "(${crc64})"
  \\}),
  "partial": (?:null|\\{
    "length": ${number},
    "crc64": "${crc64}"
  \\}),
  "sha_state": (?:null|\\{
    "offset": ${number},
    "h": "[0-9a-f]{64}"
  \\}),
  "engine_version": "[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,63}",
  "definition_opaque": "${base64}",
  "opaque_metadata": "${base64}"$`,
);

/** The text in front of its CRC, which is that of the text without it; null: it is not. */
function wholeText(bytes: Buffer, crc: Crc64): string | null {
  const at = bytes.length - sealLength;
  if (at <= 0 || bytes.length > quickBytesMax) return null;
  const seal = bytes.latin1Slice(at, bytes.length);
  if (!seal.startsWith(crcBefore) || !seal.endsWith(crcBehind)) return null;
  unsealed.set(bytes.subarray(0, at));
  unsealed.set(endOfObject, at);
  const found = crc(unsealed.subarray(0, at + endOfObject.length))
    .toString(16)
    .padStart(crcDigits, '0');
  return seal.startsWith(found, crcBefore.length) ? bytes.latin1Slice(0, at) : null;
}

const fieldOf = (quoted: string): string => (quoted === 'null' ? '' : quoted.slice(1, -1));
const base64Bytes = (digits: string): number => Buffer.byteLength(digits, 'base64');

export function listedMeta(key: ListedKey, bytes: Buffer, crc: Crc64): ListedMeta | null {
  const body = wholeText(bytes, crc);
  const found = body === null ? null : form.exec(body);
  if (found === null) return null;
  const [, name, created, size, sha256, policy, schedule, client, state, lsu, dir, date] = found as string[];
  const [durable, stored, fragmentCrc, mode, chunk, sumsCrc, partial, shaOffset, opaque, metadata] = found.slice(12);
  const made = creationDate(key.date);
  if (name !== key.basename || lsu !== key.lsu || dir !== key.dir || date !== String(key.date)) return null;
  if (created !== (made === null ? 'null' : `"${made}"`)) return null;
  if (size !== durable || size !== stored || !Number.isSafeInteger(Number(size))) return null;
  if (chunk !== undefined && !isChunkBytes(Number(chunk))) return null;
  if (partial === '0' || !(Number(shaOffset ?? 0) % 64 === 0)) return null;
  if (base64Bytes(opaque) > definitionOpaqueBytesMax || base64Bytes(metadata) > opaqueBytesMax) return null;
  const wrong = brokenRule({
    state: state as ListedMeta['state'],
    size: Number(size),
    // Of CRCs the rules ask only whether they are there, and whether they are 0.
    fragments: [{ name: '', size: Number(size), crc64: fragmentCrc === 'null' ? null : 1n }],
    checksumMode: mode as 'sha256' | 'none',
    sha256: sha256 ?? null,
    sums: chunk === undefined ? null : { chunkBytes: Number(chunk), crc64: /^0+$/.test(sumsCrc as string) ? 0n : 1n },
    partial: partial === undefined ? null : { length: Number(partial), crc64: 1n },
    shaState: shaOffset === undefined ? null : { offset: Number(shaOffset), h: '' },
  });
  if (wrong !== null) return null;
  return {
    state: state as ListedMeta['state'],
    policy: fieldOf(policy),
    schedule: fieldOf(schedule),
    client: fieldOf(client),
    opaque: opaque === '' ? nothing : Buffer.from(opaque, 'base64'),
  };
}
