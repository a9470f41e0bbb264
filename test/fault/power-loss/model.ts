/**
 * What a storage log means: files, directories, and which of the operations on them a crash may still undo.
 *
 * An operation counts from its end; one that never ended (a kill) is added at the end of the log. A sync makes durable
 * what had ended on its file or directory before the sync began, and only if it succeeded and was not dropped.
 */
import { constants } from 'node:fs';
import type { BeginLine, EndLine, LogLine } from '../shim/log.ts';
import type { Snapshot } from './snapshot.ts';

const renameNoReplace = 1;

/** A file or directory, from its creation on: inode numbers are used again, these ids are not. */
export interface Node {
  id: number;
  kind: 'file' | 'dir';
  /** What it held when the log began; null for what was made since. */
  bytes: Buffer | null;
  ops: DataOp[];
}

interface Op {
  /** Rank among all operations, by their ends. */
  id: number;
  durable: boolean;
  text: string;
}

export interface DataOp extends Op {
  kind: 'write' | 'truncate';
  node: Node;
  /** write: where; truncate: the new size. */
  at: number;
  length: number;
  /** Place of the bytes in the data file. */
  dataAt: number;
}

export interface NameOp extends Op {
  kind: 'name';
  /** Entries that it sets, all or none: null takes a name away. */
  sets: { dir: Node; name: string; target: Node | null }[];
  /** Directories of which one (or each) must be synced. */
  waits: Set<Node>;
}

export type AnyOp = DataOp | NameOp;

export interface ModelOptions {
  /** A rename between two directories is durable when either is synced (journaling file systems, NFS), or both. */
  renameNeeds?: 'either' | 'both';
}

export class Model {
  readonly root: Node;
  /** Entries at the start of the log, all durable. */
  readonly firstEntries = new Map<Node, Map<string, Node>>();
  readonly nameOps: NameOp[] = [];
  readonly marks: string[] = [];
  /** Operations that a crash may undo, oldest first. */
  pending: AnyOp[] = [];

  readonly #live = new Map<Node, Map<string, Node>>();
  readonly #byInode = new Map<number, Node>();
  readonly #begun = new Map<number, { line: BeginLine; covers: AnyOp[] }>();
  readonly #renameNeeds: 'either' | 'both';
  #nodes = 0;
  #ops = 0;

  constructor(base: Snapshot, options: ModelOptions = {}) {
    this.#renameNeeds = options.renameNeeds ?? 'either';
    const made = base.nodes.map((node) => this.#node(node.kind, node.inode, node.bytes));
    this.root = made[0];
    base.nodes.forEach((node, i) => {
      if (node.kind !== 'dir') return;
      const entries = Object.entries(node.entries).map(([name, index]) => [name, made[index]] as const);
      this.firstEntries.set(made[i], new Map(entries));
      this.#live.set(made[i], new Map(entries));
    });
  }

  /** Takes one line in. True: what a crash may leave has changed. */
  take(line: LogLine): boolean {
    if (line.kind === 'mark') {
      this.marks.push(line.text);
      return true;
    }
    if (line.kind === 'begin') {
      const covers = isSync(line) ? this.#coveredBy(line) : [];
      this.#begun.set(line.call, { line, covers });
      return false;
    }
    const begun = this.#begun.get(line.call);
    if (!begun) throw new Error(`call ${line.call} ends without a beginning`);
    this.#begun.delete(line.call);
    if (isSync(begun.line)) return this.#sync(begun.line, begun.covers, line);
    return this.#change(begun.line, line);
  }

  /** At the end of a log: calls that never ended may have happened. True: there were such. */
  takeUnended(): boolean {
    const left = [...this.#begun.values()].map(({ line }) => line).sort((a, b) => a.call - b.call);
    this.#begun.clear();
    let any = false;
    for (const line of left) {
      if (isSync(line) || !this.#couldHappen(line)) continue;
      // What it made has no inode here, and nothing later can refer to it.
      const end: EndLine = { kind: 'end', call: line.call, result: line.length, action: '-', inode: 0, created: true };
      any = this.#change(line, end) || any;
    }
    return any;
  }

  /** Would this call, which nobody saw the end of, have succeeded? */
  #couldHappen(line: BeginLine): boolean {
    const { name, path, path2, flags } = line;
    if (name === 'open') return (flags & constants.O_CREAT) !== 0 && !this.#lookUp(path);
    if (name === 'mkdir') return !this.#lookUp(path);
    if (name === 'unlink' || name === 'rmdir') return this.#lookUp(path) !== undefined;
    if (name !== 'rename' && name !== 'link') return true;
    const there = this.#lookUp(path2);
    if (!this.#lookUp(path)) return false;
    if (name === 'link' || (flags & renameNoReplace) !== 0) return !there;
    return !there || (this.#live.get(there)?.size ?? 0) === 0;
  }

  #node(kind: 'file' | 'dir', inode: number, bytes: Buffer | null): Node {
    const node: Node = { id: this.#nodes++, kind, bytes, ops: [] };
    if (inode !== 0) this.#byInode.set(inode, node);
    if (kind === 'dir') this.#live.set(node, new Map());
    return node;
  }

  #of(line: BeginLine): Node {
    const node = this.#byInode.get(line.inode);
    if (!node) throw new Error(`call ${line.call}: nobody made inode ${line.inode} (${line.path})`);
    return node;
  }

  #coveredBy(line: BeginLine): AnyOp[] {
    const node = this.#of(line);
    return this.pending.filter((op) => (op.kind === 'name' ? op.waits.has(node) : op.node === node));
  }

  #sync(begin: BeginLine, covers: AnyOp[], end: EndLine): boolean {
    if (end.result !== 0 || end.action === 'drop' || covers.length === 0) return false;
    const node = this.#of(begin);
    for (const op of covers) {
      if (op.kind === 'name') op.waits.delete(node);
      op.durable = op.kind !== 'name' || op.waits.size === 0 || this.#renameNeeds === 'either';
    }
    this.pending = this.pending.filter((op) => !op.durable);
    return true;
  }

  #change(begin: BeginLine, end: EndLine): boolean {
    const did = end.result >= 0 && end.action !== 'drop';
    if (!did) return false;
    const { name } = begin;
    if (name === 'open') return this.#opened(begin, end);
    if (name === 'mkdir') return this.#named(begin, [[begin.path, this.#node('dir', end.inode, null)]]);
    if (name === 'link') return this.#named(begin, [[begin.path2, this.#find(begin.path)]]);
    if (name === 'unlink' || name === 'rmdir') return this.#named(begin, [[begin.path, null]]);
    if (name === 'rename') {
      const moved = this.#find(begin.path);
      return this.#named(begin, [
        [begin.path, null],
        [begin.path2, moved],
      ]);
    }
    if (name === 'truncate') return this.#data(this.#of(begin), 'truncate', begin.offset, 0, -1, begin);
    if (name === 'write' || name === 'copy' || name === 'clone') {
      const length = name === 'clone' ? begin.length : Math.min(begin.length, end.result);
      if (length === 0) return false;
      if (begin.dataAt < 0) throw new Error(`call ${begin.call}: the log was made without data`);
      return this.#data(this.#of(begin), 'write', begin.offset, length, begin.dataAt, begin);
    }
    return false;
  }

  #opened(begin: BeginLine, end: EndLine): boolean {
    if (end.created && (begin.flags & constants.O_CREAT) !== 0) {
      return this.#named(begin, [[begin.path, this.#node('file', end.inode, null)]]);
    }
    if ((begin.flags & constants.O_TRUNC) === 0) return false;
    return this.#data(this.#find(begin.path), 'truncate', 0, 0, -1, begin);
  }

  #data(node: Node, kind: DataOp['kind'], at: number, length: number, dataAt: number, begin: BeginLine): boolean {
    const text = `${begin.call} ${begin.name} ${begin.path} ${at}+${length}`;
    const op: DataOp = { id: this.#ops++, durable: false, text, kind, node, at, length, dataAt };
    node.ops.push(op);
    this.pending.push(op);
    return true;
  }

  #named(begin: BeginLine, changes: [string, Node | null][]): boolean {
    const sets = changes.map(([path, target]) => ({ ...this.#place(path), target }));
    const text = `${begin.call} ${begin.name} ${changes.map(([path]) => path).join(' → ')}`;
    const waits = new Set(sets.map(({ dir }) => dir));
    const op: NameOp = { id: this.#ops++, durable: false, text, kind: 'name', sets, waits };
    for (const { dir, name, target } of sets) setEntry(this.#live, dir, name, target);
    this.nameOps.push(op);
    this.pending.push(op);
    return true;
  }

  #place(path: string): { dir: Node; name: string } {
    const cut = path.lastIndexOf('/');
    return { dir: this.#find(cut < 0 ? '.' : path.slice(0, cut)), name: path.slice(cut + 1) };
  }

  #find(path: string): Node {
    const node = this.#lookUp(path);
    if (!node) throw new Error(`the log speaks of ${path}, which is not there`);
    return node;
  }

  #lookUp(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of path.split('/')) {
      if (name !== '.' && name !== '') node = node && this.#live.get(node)?.get(name);
    }
    return node;
  }
}

function isSync(line: BeginLine): boolean {
  return line.name === 'fsync' || line.name === 'fdatasync';
}

export function setEntry(tree: Map<Node, Map<string, Node>>, dir: Node, name: string, target: Node | null): void {
  let entries = tree.get(dir);
  if (!entries) {
    entries = new Map();
    tree.set(dir, entries);
  }
  if (target) entries.set(name, target);
  else entries.delete(name);
}
