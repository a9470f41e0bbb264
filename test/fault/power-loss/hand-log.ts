/** Logs written by hand for the checker's own tests: calls on a root with inode 1, in the shim's words. */
import { constants } from 'node:fs';
import type { BeginLine, EndLine, LogLine } from '../shim/log.ts';
import type { DataSource } from './states.ts';

interface Extra {
  offset?: number;
  length?: number;
  flags?: number;
  path2?: string;
  dataAt?: number;
  inode?: number;
}

export class HandLog {
  readonly lines: LogLine[] = [];
  #bytes = Buffer.alloc(0);
  #calls = 0;
  #inodes = 100;
  readonly #inodeOf = new Map<string, number>([['.', 1]]);

  get data(): DataSource {
    return { read: (at, length) => this.#bytes.subarray(at, at + length) };
  }

  /** The beginning of a call; `end` ends it. */
  begin(name: string, path: string, extra: Extra = {}): BeginLine {
    const line: BeginLine = {
      kind: 'begin',
      call: ++this.#calls,
      thread: 1,
      name,
      fd: 3,
      inode: this.#inodeOf.get(path) ?? 0,
      offset: 0,
      length: 0,
      flags: 0,
      dataAt: -1,
      path,
      path2: '',
      ...extra,
    };
    this.lines.push(line);
    return line;
  }

  end(begin: BeginLine, result = 0, extra: Partial<EndLine> = {}): void {
    this.lines.push({ kind: 'end', call: begin.call, result, action: '-', inode: 0, created: false, ...extra });
  }

  mark(text: string): void {
    this.lines.push({ kind: 'mark', text });
  }

  /** `inode`: one that was used before. */
  create(path: string, flags: number = constants.O_CREAT, inode = ++this.#inodes): void {
    this.#inodeOf.set(path, inode);
    this.end(this.begin('open', path, { flags, inode: 0 }), 7, { inode, created: true });
  }

  openExisting(path: string, flags: number): void {
    this.end(this.begin('open', path, { flags, inode: 0 }), 7, { inode: this.#inodeOf.get(path) });
  }

  mkdir(path: string): void {
    const inode = ++this.#inodes;
    this.#inodeOf.set(path, inode);
    this.end(this.begin('mkdir', path, { inode: 0 }), 0, { inode, created: true });
  }

  beginWrite(path: string, offset: number, text: string): BeginLine {
    const bytes = Buffer.from(text);
    const dataAt = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    return this.begin('write', path, { offset, length: bytes.length, dataAt });
  }

  write(path: string, offset: number, text: string): void {
    const begin = this.beginWrite(path, offset, text);
    this.end(begin, begin.length);
  }

  truncate(path: string, size: number): void {
    this.end(this.begin('truncate', path, { offset: size }));
  }

  sync(path: string, name: 'fsync' | 'fdatasync' = 'fsync', result = 0, action = '-'): void {
    this.end(this.begin(name, path), result, { action });
  }

  rename(from: string, to: string): void {
    this.end(this.begin('rename', from, { path2: to, inode: 0 }));
    for (const [path, inode] of [...this.#inodeOf]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#inodeOf.delete(path);
      this.#inodeOf.set(to + path.slice(from.length), inode);
    }
  }

  link(from: string, to: string): void {
    this.end(this.begin('link', from, { path2: to, inode: 0 }));
    this.#inodeOf.set(to, this.#inodeOf.get(from) ?? 0);
  }

  unlink(path: string): void {
    this.end(this.begin('unlink', path, { inode: 0 }));
  }
}
