/**
 * image.meta: what an image is. Its atomic appearance with state "complete" commits the image.
 *
 * Text: JSON, ASCII only, two blanks a level, fields in one fixed order, a line feed at the end. The last field is the
 * CRC-64/NVME of the same text without that field, so that a hand-edited or damaged meta never passes for a good one.
 * In memory, names are byte strings (see names.ts); in the text they are readable where they are UTF-8.
 * The CRC function comes from the caller: this module does no I/O and loads no native code.
 */
import type { z } from 'zod';
import type { ImageMeta } from './image-meta.ts';
import { brokenField, brokenRule, type Wrong } from './meta-rules.ts';
import { type MetaText, metaTextSchema } from './meta-schema.ts';
import { displayName, escapeName, imageKeyName, parseImageKeyName, unescapeName, utf8Text } from './names.ts';
import type { Crc64 } from './sums.ts';

export type { Fragment, ImageMeta } from './image-meta.ts';
export { definitionOpaqueBytesMax, fieldBytesMax, fragmentsMax, opaqueBytesMax } from './meta-schema.ts';

export const metaFormat = 1;
/** The text is never longer: it travels whole in a lane's area. */
export const metaBytesMax = 224 * 1024;

export type DecodedMeta =
  | { readonly ok: true; readonly meta: ImageMeta }
  /** `field`: dotted path of the field that is wrong; 'json' when the text is none; 'meta_crc64' when no field tells. */
  | { readonly ok: false; readonly field: string; readonly text: string };

/** Throws RangeError on a meta that breaks its own rules: a bug of the caller, never stored. */
export function encodeMeta(meta: ImageMeta, crc: Crc64): string {
  const wrong = brokenField(meta) ?? brokenRule(meta);
  if (wrong) throw new RangeError(`image meta: ${wrong.field}: ${wrong.text}`);
  const text = withCrc(asciiJson(toText(meta)), crc);
  if (text.length > metaBytesMax) throw new RangeError(`image meta: ${text.length} bytes`);
  return text;
}

/** Never throws. Whatever is not what encodeMeta stored (white space and order of fields apart) is refused. */
export function decodeMeta(text: string, crc: Crc64): DecodedMeta {
  if (text.length > metaBytesMax) return refuse('json', `longer than ${metaBytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const cut = text.trimEnd().endsWith('}') ? '' : ' (cut off?)';
    return refuse('json', `not JSON${cut}: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('json', 'not a JSON object');
  const { meta_crc64: stored, ...rest } = value as Record<string, unknown>;
  if (rest.format !== metaFormat) {
    const found = typeof rest.format === 'number' ? `format ${rest.format}` : 'no format number';
    return refuse('format', `${found}, this engine reads ${metaFormat}`);
  }
  const checked = metaTextSchema.safeParse(rest);
  if (!checked.success) return { ok: false, ...firstIssue(checked.error) };
  const meta = fromText(checked.data);
  const fields = toText(meta);
  const wrong = firstDifference(checked.data, fields, '') ?? brokenRule(meta);
  if (wrong) return { ok: false, ...wrong };
  if (stored !== hex64(textCrc(fields, crc))) {
    return refuse('meta_crc64', 'does not match the text: changed by hand or damaged');
  }
  return { ok: true, meta };
}

function refuse(field: string, text: string): { ok: false } & Wrong {
  return { ok: false, field, text };
}

function textCrc(fields: MetaText, crc: Crc64): bigint {
  return crc(Buffer.from(asciiJson(fields), 'latin1'));
}

/** The text of all fields, with their CRC as the last one. */
function withCrc(text: string, crc: Crc64): string {
  const sum = hex64(crc(Buffer.from(text, 'latin1')));
  return `${text.slice(0, text.lastIndexOf('\n}'))},\n  "meta_crc64": "${sum}"\n}\n`;
}

/** "2024-01-15T10:30:00Z"; null for a date that no calendar of ours reaches. */
export function creationDate(date: number): string | null {
  return date > 8_640_000_000_000 ? null : new Date(date * 1000).toISOString().replace('.000Z', 'Z');
}

function toText(meta: ImageMeta): MetaText {
  return {
    image_name: displayName(meta.basename),
    creation_date: creationDate(meta.date),
    size: meta.size,
    fragments: meta.fragments.length,
    checksum: meta.sha256 === null ? null : `sha256:${meta.sha256}`,
    netbackup_metadata: {
      policy: bytesField(meta.policy),
      schedule: bytesField(meta.schedule),
      client: bytesField(meta.client),
    },
    format: metaFormat,
    state: meta.state,
    key: { lsu: escapeName(meta.lsu), name: imageKeyName(meta.basename, meta.date), date: meta.date },
    image_id: meta.imageId,
    writer_token: meta.writerToken,
    durable_size: meta.size,
    fragment_list: meta.fragments.map(({ name, size, crc64 }) => ({
      name,
      size,
      crc64: crc64 === null ? null : hex64(crc64),
    })),
    checksum_mode: meta.checksumMode,
    sums: meta.sums && { chunk_bytes: meta.sums.chunkBytes, crc64: hex64(meta.sums.crc64) },
    partial: meta.partial && { length: meta.partial.length, crc64: hex64(meta.partial.crc64) },
    sha_state: meta.shaState && { offset: meta.shaState.offset, h: meta.shaState.h },
    engine_version: meta.engineVersion,
    definition_opaque: Buffer.from(meta.definitionOpaque).toString('base64'),
    opaque_metadata: Buffer.from(meta.opaque).toString('base64'),
  };
}

function fromText(fields: MetaText): ImageMeta {
  const key = parseImageKeyName(fields.key.name);
  return {
    state: fields.state,
    lsu: unescapeName(fields.key.lsu) as string,
    basename: key?.basename as string,
    date: fields.key.date,
    policy: fieldBytes(fields.netbackup_metadata.policy),
    schedule: fieldBytes(fields.netbackup_metadata.schedule),
    client: fieldBytes(fields.netbackup_metadata.client),
    definitionOpaque: new Uint8Array(Buffer.from(fields.definition_opaque, 'base64')),
    opaque: new Uint8Array(Buffer.from(fields.opaque_metadata, 'base64')),
    imageId: fields.image_id,
    writerToken: fields.writer_token,
    size: fields.size,
    fragments: fields.fragment_list.map(({ name, size, crc64 }) => ({
      name,
      size,
      crc64: crc64 === null ? null : BigInt(`0x${crc64}`),
    })),
    checksumMode: fields.checksum_mode,
    sha256: fields.checksum === null ? null : fields.checksum.slice('sha256:'.length),
    sums: fields.sums && { chunkBytes: fields.sums.chunk_bytes, crc64: BigInt(`0x${fields.sums.crc64}`) },
    partial: fields.partial && { length: fields.partial.length, crc64: BigInt(`0x${fields.partial.crc64}`) },
    shaState: fields.sha_state && { offset: fields.sha_state.offset, h: fields.sha_state.h },
    engineVersion: fields.engine_version,
  };
}

/** null where unknown; UTF-8 as text; other bytes as base64: the form follows from the bytes, so it is one form only. */
function bytesField(bytes: string | null): string | { base64: string } | null {
  if (bytes === null) return null;
  return utf8Text(bytes) ?? { base64: Buffer.from(bytes, 'latin1').toString('base64') };
}

function fieldBytes(field: string | { base64: string } | null): string | null {
  if (field === null) return null;
  const bytes = typeof field === 'string' ? Buffer.from(field, 'utf8') : Buffer.from(field.base64, 'base64');
  return bytes.toString('latin1');
}

/** The first field whose value is not what the others make it. */
function firstDifference(found: unknown, wanted: unknown, path: string): Wrong | null {
  if (typeof found === 'object' && found !== null && typeof wanted === 'object' && wanted !== null) {
    const names = new Set([...Object.keys(wanted), ...Object.keys(found)]);
    for (const name of names) {
      const [a, b] = [found, wanted].map((side) => (side as Record<string, unknown>)[name]);
      const wrong = firstDifference(a, b, path === '' ? name : `${path}.${name}`);
      if (wrong) return wrong;
    }
    return null;
  }
  if (found === wanted) return null;
  return { field: path, text: `is ${clip(found)}, the other fields make it ${clip(wanted)}` };
}

function clip(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function firstIssue(error: z.ZodError): Wrong {
  const issue = error.issues[0];
  if (!issue) return { field: 'json', text: 'is no image meta' };
  if (issue.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0] || '""'].map(String).join('.');
    return { field, text: 'is no field of this format' };
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined && /undefined/.test(issue.message);
  return { field: issue.path.map(String).join('.') || 'json', text: missing ? 'is missing' : issue.message };
}

function hex64(crc: bigint): string {
  return crc.toString(16).padStart(16, '0');
}

/** ASCII, so that no layer that carries the text can disagree about its bytes. */
function asciiJson(fields: object): string {
  const text = JSON.stringify(fields, null, 2);
  return `${text.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}
