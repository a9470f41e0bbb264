/**
 * `.lsu` in an LSU's directory: its true name (a long one is hashed in the directory's name) and its label. An LSU whose
 * directory was made by hand has none: its name is then what the directory's name says, its label empty.
 */
import { escapeName, lsuDirName, parseLsuDirName, unescapeName } from './names.ts';

export const lsuFileName = '.lsu';
export const lsuFileFormat = 1;
export const lsuFileBytesMax = 4096;

export interface LsuInfo {
  /** Byte string, 1 … 255 bytes. */
  readonly lsu: string;
  /** Byte string, 0 … 255 bytes. */
  readonly label: string;
}

export function encodeLsu(info: LsuInfo): string {
  const fields = { format: lsuFileFormat, name: escapeName(info.lsu), label: info.label && escapeName(info.label) };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

/** `text` null: there is no such file. A file that contradicts its directory is refused by the name of its field. */
export function decodeLsu(
  dir: string,
  text: string | null,
): { ok: true; info: LsuInfo } | { ok: false; field: string; text: string } {
  const refuse = (field: string, why: string) => ({ ok: false as const, field, text: why });
  const named = parseLsuDirName(dir);
  if (text === null) {
    if (named === null || named === 'hashed') return refuse('name', `${lsuFileName} is missing`);
    return { ok: true, info: { lsu: named.lsu, label: '' } };
  }
  if (text.length > lsuFileBytesMax) return refuse('json', `longer than ${lsuFileBytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('json', 'not JSON');
  }
  if (typeof value !== 'object' || value === null) return refuse('json', 'not a JSON object');
  const fields = value as Record<string, unknown>;
  if (fields.format !== lsuFileFormat) {
    return refuse('format', `is ${JSON.stringify(fields.format) ?? 'missing'}, this engine reads ${lsuFileFormat}`);
  }
  const lsu = typeof fields.name === 'string' ? unescapeName(fields.name) : null;
  if (lsu === null || lsu.length > 255) return refuse('name', 'must be an escaped LSU name');
  if (lsuDirName(lsu) !== dir) return refuse('name', `${escapeName(lsu)} does not belong into the directory ${dir}`);
  const label = fields.label === '' ? '' : typeof fields.label === 'string' ? unescapeName(fields.label) : null;
  if (label === null || label.length > 255) return refuse('label', 'must be an escaped label of at most 255 bytes');
  return { ok: true, info: { lsu, label } };
}
