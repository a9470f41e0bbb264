/** What a command has of the outside: given by main.ts, replaced by tests. */
export interface CliIo {
  /** Standard output; resolves when it may take more. */
  out(chunk: string | Uint8Array): Promise<void>;
  /** One line for standard error, without its line feed. */
  fail(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  now(): Date;
}

/** Exit codes. Usage errors are commander's, also 2. */
export const exitCode = { ok: 0, failed: 1, usage: 2 } as const;

/** A failure with a text for the user and no stack: the command ends with `code`. */
export class CliError extends Error {
  readonly code: number;
  constructor(text: string, code: number = exitCode.failed) {
    super(text);
    this.name = 'CliError';
    this.code = code;
  }
}

/** Columns as wide as their widest cell; the columns named in `right` are set to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** "1.50 GB": decimal units, as storage is sold. */
export function humanBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(2)} ${units[unit]}`;
}

/** "7d", "12h", "30m", "45s" or seconds as a bare number; null for anything else. */
export function parseAge(text: string): number | null {
  const match = /^([0-9]{1,9})([smhdw]?)$/.exec(text);
  if (!match) return null;
  const seconds = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[match[2] as '' | 's' | 'm' | 'h' | 'd' | 'w'];
  return Number(match[1]) * seconds;
}
