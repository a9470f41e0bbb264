/** The fields of image.meta as they stand in its text: names, types, ranges. What they mean is in meta.ts. */
import { z } from 'zod';
import { fragmentsMax } from '../core/parts.ts';
import { dateMax, parseImageKeyName, unescapeName } from './names.ts';
import { isChunkBytes } from './sums.ts';

export { fragmentsMax };
export const opaqueBytesMax = 65_536;
export const definitionOpaqueBytesMax = 1024;
export const fieldBytesMax = 255;

/** `-0` is read as 0. */
const count = z
  .int('must be a whole number')
  .min(0, 'must not be negative')
  .overwrite((value) => value + 0);
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`), `must be ${digits} hex digits`);
const base64 = (bytesMax: number) =>
  z
    .string()
    .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, 'must be base64')
    .refine((text) => Buffer.byteLength(text, 'base64') <= bytesMax, `must not hold more than ${bytesMax} bytes`);

/** Bytes that are UTF-8 stand as text, others as base64. */
const bytesText = z.union(
  [
    z.string().refine((text) => text !== '' && Buffer.byteLength(text) <= fieldBytesMax && text.isWellFormed()),
    z.strictObject({ base64: base64(fieldBytesMax).min(4) }),
    z.null(),
  ],
  `must be null, or a text of 1 to ${fieldBytesMax} bytes, or {"base64": …}`,
);

export const metaTextSchema = z.strictObject({
  image_name: z.string(),
  creation_date: z.string().nullable(),
  size: count,
  fragments: count,
  checksum: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be "sha256:" and 64 hex digits')
    .nullable(),
  netbackup_metadata: z.strictObject({ policy: bytesText, schedule: bytesText, client: bytesText }),
  format: z.literal(1),
  state: z.enum(['pending', 'complete'], 'must be "pending" or "complete"'),
  key: z.strictObject({
    lsu: z
      .string()
      .max(3 * 255)
      .refine((text) => isBytes(unescapeName(text), 255), 'must be an escaped LSU name'),
    name: z
      .string()
      .max(3 * 1023 + 17)
      .refine(
        (text) => isBytes(parseImageKeyName(text)?.basename ?? null, 1023),
        'must be an escaped basename, "~" and the date',
      ),
    date: count.max(dateMax),
  }),
  image_id: hex(32),
  writer_token: hex(32),
  durable_size: count,
  fragment_list: z
    .array(
      z.strictObject({
        name: z.string().regex(/^image\.data(?:\.[0-9]{4,8})?$/, 'must be image.data or image.data.NNNN'),
        size: count,
        crc64: hex(16).nullable(),
      }),
    )
    .min(1, 'must not be empty')
    .max(fragmentsMax, `must not have more than ${fragmentsMax} entries`),
  checksum_mode: z.enum(['sha256', 'none'], 'must be "sha256" or "none"'),
  sums: z
    .strictObject({
      chunk_bytes: count.refine(isChunkBytes, 'must be a power of two from 4096 to 1048576'),
      crc64: hex(16),
    })
    .nullable(),
  partial: z.strictObject({ length: count.min(1), crc64: hex(16) }).nullable(),
  sha_state: z.strictObject({ offset: count.multipleOf(64, 'must be a multiple of 64'), h: hex(64) }).nullable(),
  engine_version: z.string().regex(/^[\x21-\x7e]{1,63}$/, 'must be 1 to 63 printable characters'),
  definition_opaque: base64(definitionOpaqueBytesMax),
  opaque_metadata: base64(opaqueBytesMax),
});

export type MetaText = z.infer<typeof metaTextSchema>;

function isBytes(bytes: string | null, max: number): boolean {
  return bytes !== null && bytes.length <= max;
}
