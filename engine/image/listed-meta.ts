/**
 * What a list shows of an image, from the text of its meta: much less work than decodeMeta, which reads, checks and makes
 * anew every field. It takes only what the engine writes itself for names and fields of printable ASCII, with the CRC over
 * the very text; for all else the answer is null, and decodeMeta has to say what it is.
 *
 * Fields that a list does not show are covered by the CRC alone. Whoever opens the image has all of them checked.
 */
import { metaFormat } from './meta.ts';
import { definitionOpaqueBytesMax, fieldBytesMax } from './meta-schema.ts';
import type { Crc64 } from './sums.ts';

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
const endOfObject = '\n}\n';
const plainText = /^[\n\x20-\x7e]*$/;
const plainField = /^[\x20-\x7e]+$/;
const nothing = new Uint8Array(0);

/** The CRC-64 in the text is that of the text without it. */
function isWhole(text: string, crc: Crc64): boolean {
  const at = text.length - crcBehind.length - crcDigits - crcBefore.length;
  if (at <= 0 || !text.startsWith(crcBefore, at) || !text.endsWith(crcBehind) || !plainText.test(text)) return false;
  const bytes = Buffer.from(text, 'latin1');
  bytes.write(endOfObject, at, 'latin1');
  const found = crc(bytes.subarray(0, at + endOfObject.length))
    .toString(16)
    .padStart(crcDigits, '0');
  return text.startsWith(found, at + crcBefore.length);
}

function fieldOf(value: unknown): string | null {
  if (value === null) return '';
  return typeof value === 'string' && value.length <= fieldBytesMax && plainField.test(value) ? value : null;
}

function opaqueOf(value: unknown): Uint8Array | null {
  if (value === '') return nothing;
  if (typeof value !== 'string') return null;
  const bytes = Buffer.from(value, 'base64');
  return bytes.length <= definitionOpaqueBytesMax && bytes.toString('base64') === value ? bytes : null;
}

type Fields = Record<string, unknown>;
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

/** `lsu`: escaped; `dir`: the image's directory, which is its key too; `date`: the one in it. */
export function listedMeta(lsu: string, dir: string, date: number, text: string, crc: Crc64): ListedMeta | null {
  if (!isWhole(text, crc)) return null;
  let fields: Fields;
  try {
    fields = fieldsOf(JSON.parse(text));
  } catch {
    return null;
  }
  const { format, state } = fields;
  const key = fieldsOf(fields.key);
  if (format !== metaFormat || (state !== 'pending' && state !== 'complete')) return null;
  if (key.lsu !== lsu || key.name !== dir || key.date !== date) return null;
  const given = fieldsOf(fields.netbackup_metadata);
  const [policy, schedule, client] = [fieldOf(given.policy), fieldOf(given.schedule), fieldOf(given.client)];
  const opaque = opaqueOf(fields.definition_opaque);
  if (policy === null || schedule === null || client === null || opaque === null) return null;
  return { state, policy, schedule, client, opaque };
}
