/** The storage root before the log begins: all of it is taken as durable. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';

export type SnapshotNode =
  | { kind: 'file'; inode: number; bytes: Buffer }
  /** Names and places in `nodes`; several names may have one place (hard links). */
  | { kind: 'dir'; inode: number; bytes: null; entries: Record<string, number> };

/** The first node is the root. */
export interface Snapshot {
  nodes: SnapshotNode[];
}

const bytesMax = 256 * 1024 * 1024;

/** An empty root, for logs written by hand. */
export function emptySnapshot(rootInode: number): Snapshot {
  return { nodes: [{ kind: 'dir', inode: rootInode, bytes: null, entries: {} }] };
}

/**
 * Reads the whole tree into memory.
 *
 * @throws Error when it holds more than 256 MiB, or something else than files and directories
 */
export function takeSnapshot(root: string): Snapshot {
  const nodes: SnapshotNode[] = [];
  const known = new Map<number, number>();
  let total = 0;
  function add(path: Buffer): number {
    const stat = lstatSync(path);
    const before = known.get(stat.ino);
    if (before !== undefined) return before;
    const index = nodes.length;
    known.set(stat.ino, index);
    if (stat.isDirectory()) {
      const entries: Record<string, number> = Object.create(null);
      nodes.push({ kind: 'dir', inode: stat.ino, bytes: null, entries });
      // Names as latin1, as in the log: any byte may stand in one.
      for (const name of readdirSync(path, 'latin1')) {
        entries[name] = add(Buffer.concat([path, Buffer.from(`/${name}`, 'latin1')]));
      }
      return index;
    }
    if (!stat.isFile()) throw new Error(`${path} is neither file nor directory`);
    total += stat.size;
    if (total > bytesMax) throw new Error(`${root} holds more than ${bytesMax} bytes`);
    nodes.push({ kind: 'file', inode: stat.ino, bytes: readFileSync(path) });
    return index;
  }
  add(Buffer.from(root));
  return { nodes };
}
