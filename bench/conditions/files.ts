/**
 * What the kernel tells in files, read below a root so that tests bring a machine of their own. A file that is missing,
 * unreadable, too long or of another form is null: conditions describe a run, they never end one.
 */
import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';

/** /proc/self/mountstats of a machine with hundreds of mounts has some MB. */
const textMax = 8 << 20;
const namesMax = 10_000;

export class Files {
  readonly root: string;

  constructor(root = '/') {
    this.root = root;
  }

  text(path: string): string | null {
    let file: number | undefined;
    try {
      // A FIFO or a device in its place must not hold the bench up.
      file = openSync(join(this.root, path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      const pieces: Buffer[] = [];
      for (let length = 0; length <= textMax; ) {
        const piece = Buffer.allocUnsafe(1 << 16);
        const read = readSync(file, piece);
        if (read === 0) return Buffer.concat(pieces).toString('utf8');
        pieces.push(piece.subarray(0, read));
        length += read;
      }
      return null;
    } catch {
      return null;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  lines(path: string): string[] {
    return this.text(path)?.split('\n') ?? [];
  }

  /** The first line, without white space around it; null where it is empty. */
  line(path: string): string | null {
    const line = this.lines(path)[0]?.trim() ?? '';
    return line === '' ? null : line;
  }

  number(path: string): number | null {
    return numberOf(this.line(path));
  }

  /** Sorted as people count: cpu2 before cpu10. */
  names(path: string): string[] {
    try {
      return readdirSync(join(this.root, path))
        .slice(0, namesMax)
        .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    } catch {
      return [];
    }
  }

  /** Last part of what a symbolic link points to. */
  linkName(path: string): string | null {
    try {
      return basename(readlinkSync(join(this.root, path)));
    } catch {
      return null;
    }
  }
}

/** A decimal number and nothing else; null otherwise. */
export function numberOf(text: string | null | undefined): number | null {
  return text !== null && text !== undefined && /^-?\d{1,20}(\.\d{1,20})?$/.test(text) ? Number(text) : null;
}

/** Text of a kernel or a program for one line of a report: no control characters, not endless. */
export function plain(text: string, length = 200): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
  return clean.length > length ? `${clean.slice(0, length - 1)}…` : clean;
}
