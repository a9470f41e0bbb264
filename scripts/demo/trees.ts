/**
 * Real files of this machine for the demo: trees that nearly every system has, cut into streams of a bounded size.
 * In a root with nothing else the package's own tree serves.
 */
import { accessSync, constants, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Tree {
  /** 'usr-share', 'usr-lib-2' …: name of the image made of it. */
  name: string;
  /** Absolute paths of regular files. */
  files: string[];
  bytes: number;
}

export interface TreeLimits {
  streams: number;
  bytesEach: number;
}

export interface TreeTop {
  name: string;
  path: string;
}

interface Found {
  path: string;
  bytes: number;
}

const filesEachMax = 20_000;
const entriesMax = 400_000;
/** A single file may exceed a stream's bound, but not by much. */
const fileBytesMax = 256 * 1024 * 1024;

function* walk(top: string, limit: { entries: number }): Generator<Found> {
  const waiting = [top];
  while (waiting.length > 0) {
    const dir = waiting.pop() as string;
    let names: string[];
    try {
      names = readdirSync(dir).sort();
    } catch {
      continue; // not ours to read, or gone
    }
    const below: string[] = [];
    for (const name of names) {
      if (--limit.entries < 0) return;
      // `tar -T` reads one name a line and takes backslashes for escapes: such names are left out.
      if (/[\n\\]/.test(name)) continue;
      const path = join(dir, name);
      try {
        const stat = lstatSync(path);
        if (stat.isDirectory()) below.push(path);
        if (!stat.isFile() || stat.size > fileBytesMax) continue;
        accessSync(path, constants.R_OK);
        yield { path, bytes: stat.size };
      } catch {} // vanished or unreadable: another file will do
    }
    waiting.push(...below.reverse());
  }
}

/** Takes files until the bound is reached. */
function takeStream(name: string, files: Iterator<Found>, bytesEach: number): Tree {
  const tree: Tree = { name, files: [], bytes: 0 };
  while (tree.bytes < bytesEach && tree.files.length < filesEachMax) {
    const next = files.next();
    if (next.done) break;
    tree.files.push(next.value.path);
    tree.bytes += next.value.bytes;
  }
  return tree;
}

/** Halves the tree with the most files, by bytes as evenly as its order allows. */
function split(trees: Tree[], sizeOf: (path: string) => number): boolean {
  const largest = trees.filter((tree) => tree.files.length > 1).sort((a, b) => b.bytes - a.bytes)[0];
  if (largest === undefined) return false;
  const rest: Tree = { name: `${largest.name}-more`, files: [], bytes: 0 };
  while (largest.files.length > 1 && rest.bytes < largest.bytes) {
    const path = largest.files.pop() as string;
    const bytes = sizeOf(path);
    largest.bytes -= bytes;
    rest.bytes += bytes;
    rest.files.push(path);
  }
  trees.push(rest);
  return true;
}

/** `tops`: where to look, best first. Each is used for one stream before any is used for a second one. */
export function findTrees(tops: TreeTop[], { streams, bytesEach }: TreeLimits): Tree[] {
  const limit = { entries: entriesMax };
  const open = tops.map(({ name, path }) => ({ name, files: walk(path, limit) }));
  const trees: Tree[] = [];
  for (let turn = 1; trees.length < streams && turn <= streams; turn++) {
    for (const { name, files } of open) {
      if (trees.length === streams) break;
      const tree = takeStream(turn === 1 ? name : `${name}-${turn}`, files, bytesEach);
      if (tree.files.length > 0) trees.push(tree);
    }
  }
  const sizeOf = (path: string): number => lstatSync(path).size;
  while (trees.length > 0 && trees.length < streams && split(trees, sizeOf)) {}
  return trees;
}
