/** One line of vast-ost.conf against the key it names: its value, or what is wrong with it and the remedy. */
import type { KeyForm } from './config-forms.ts';
import type { IniEntry, IniProblem } from './ini.ts';

export type EntryValue = { ok: true; value: unknown } | { ok: false; problem: IniProblem };

export function readEntry(known: KeyForm, { key, value: bytes, line }: IniEntry): EntryValue {
  const value = decoded(bytes);
  if (value === null) {
    const problem = { line, text: `${key}: the value is not UTF-8`, remedy: 'save the file as UTF-8 text' };
    return { ok: false, problem };
  }
  const checked = known.schema.safeParse(value);
  if (checked.success) return { ok: true, value: checked.data };
  const text = value === '' ? `${key} has no value` : `${key} = ${clip(value)} cannot be used`;
  const byDefault = known.byDefault === '' ? '' : `; the default is ${known.byDefault}`;
  return { ok: false, problem: { line, text, remedy: `write ${known.form}${byDefault}` } };
}

/** For a key that nobody knows: the one that was meant, else all that there are. */
export function remedyAmong(key: string, names: readonly string[]): string {
  const nearest = names.toSorted((a, b) => distance(key, a) - distance(key, b))[0];
  if (nearest !== undefined && distance(key, nearest) <= 3) return `is ${nearest} meant?`;
  return `keys there are ${names.join(', ')}`;
}

function decoded(bytes: string): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return null;
  }
}

/** Edits between two names. Keys are short. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
