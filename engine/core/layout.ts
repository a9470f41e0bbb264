/**
 * Fixed little-endian C structs, described as data: offsets by natural alignment, as the C compiler lays them out.
 * A test compiles native/wire/wire.h and compares every offset and size with these.
 */

/** A frame that no honest client sends. The text is for the client and the log. */
export class FrameError extends Error {}

export interface CharField {
  readonly kind: 'char';
  readonly size: number;
}
export interface BytesField {
  readonly kind: 'bytes';
  readonly size: number;
}
export interface StructField<S extends Fields> {
  readonly kind: 'struct';
  readonly layout: Layout<S>;
}
export type Field = 'u8' | 'u16' | 'u32' | 'u64' | CharField | BytesField | StructField<Fields>;
export type Fields = { readonly [name: string]: Field };

export type Value<F> = F extends 'u8' | 'u16' | 'u32' | 'u64'
  ? number
  : F extends CharField
    ? string
    : F extends BytesField
      ? Uint8Array
      : F extends StructField<infer S>
        ? Values<S>
        : never;
export type Values<S extends Fields> = { -readonly [K in keyof S]: Value<S[K]> };

export interface Layout<S extends Fields> {
  readonly name: string;
  readonly fields: S;
  readonly offsets: { readonly [K in keyof S]: number };
  readonly size: number;
  readonly align: number;
}

/** NUL-terminated bytes inside an array of `size`; one JavaScript character a byte (latin1). */
export function chars(size: number): CharField {
  return { kind: 'char', size };
}
export function bytes(size: number): BytesField {
  return { kind: 'bytes', size };
}
export function nested<S extends Fields>(layout: Layout<S>): StructField<S> {
  return { kind: 'struct', layout };
}

function fieldSize(field: Field): number {
  if (field === 'u8') return 1;
  if (field === 'u16') return 2;
  if (field === 'u32') return 4;
  if (field === 'u64') return 8;
  return field.kind === 'struct' ? field.layout.size : field.size;
}

function fieldAlign(field: Field): number {
  if (typeof field === 'string') return fieldSize(field);
  return field.kind === 'struct' ? field.layout.align : 1;
}

export function struct<S extends Fields>(name: string, fields: S): Layout<S> {
  const offsets: Record<string, number> = {};
  let at = 0;
  let align = 1;
  for (const [key, field] of Object.entries(fields)) {
    const own = fieldAlign(field);
    at = Math.ceil(at / own) * own;
    offsets[key] = at;
    at += fieldSize(field);
    align = Math.max(align, own);
  }
  const size = Math.ceil(at / align) * align;
  return { name, fields, offsets: offsets as Layout<S>['offsets'], size, align };
}

function readField(layoutName: string, key: string, field: Field, from: Buffer, at: number): unknown {
  if (field === 'u8') return from.readUInt8(at);
  if (field === 'u16') return from.readUInt16LE(at);
  if (field === 'u32') return from.readUInt32LE(at);
  if (field === 'u64') {
    const high = from.readUInt32LE(at + 4);
    if (high > 0x1fffff) throw new FrameError(`${layoutName}.${key} is above 2^53`);
    return high * 0x1_0000_0000 + from.readUInt32LE(at);
  }
  if (field.kind === 'bytes') return Uint8Array.prototype.slice.call(from, at, at + field.size);
  if (field.kind === 'struct') return readStruct(field.layout, from, at);
  const end = from.indexOf(0, at);
  if (end < 0 || end >= at + field.size)
    throw new FrameError(`${layoutName}.${key} has no end within ${field.size} bytes`);
  return from.toString('latin1', at, end);
}

/** Copies a struct out of `from` at `at`. Throws FrameError where the bytes cannot be one. */
export function readStruct<S extends Fields>(layout: Layout<S>, from: Buffer, at: number): Values<S> {
  if (at + layout.size > from.length) throw new FrameError(`${layout.name} is cut short`);
  const values: Record<string, unknown> = {};
  for (const key in layout.fields) {
    values[key] = readField(layout.name, key, layout.fields[key] as Field, from, at + (layout.offsets[key] as number));
  }
  return values as Values<S>;
}

function writeField(field: Field, value: unknown, to: Buffer, at: number): void {
  if (field === 'u8') to.writeUInt8(value as number, at);
  else if (field === 'u16') to.writeUInt16LE(value as number, at);
  else if (field === 'u32') to.writeUInt32LE(value as number, at);
  else if (field === 'u64') {
    const number = value as number;
    to.writeUInt32LE(number % 0x1_0000_0000, at);
    to.writeUInt32LE(Math.floor(number / 0x1_0000_0000), at + 4);
  } else if (field.kind === 'struct') writeStruct(field.layout, value as Values<Fields>, to, at);
  else if (field.kind === 'bytes') to.set((value as Uint8Array).subarray(0, field.size), at);
  else to.write((value as string).slice(0, field.size - 1), at, 'latin1');
}

/** Writes the given fields; the bytes of all others are left as they are (a fresh buffer has zeros). */
export function writeStruct<S extends Fields>(
  layout: Layout<S>,
  values: Partial<Values<S>>,
  to: Buffer,
  at: number,
): void {
  for (const key in values) {
    const field = layout.fields[key];
    if (field !== undefined && values[key] !== undefined) {
      writeField(field, values[key], to, at + (layout.offsets[key] as number));
    }
  }
}
