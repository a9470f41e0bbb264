/** Turns a state into real files, and drives a check over all of them. */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Node } from './model.ts';
import type { FileState, State } from './states.ts';

/** A name of latin1 bytes below a path of ours. */
function pathOf(dir: Buffer, name: string): Buffer {
  return Buffer.concat([dir, Buffer.from('/'), Buffer.from(name, 'latin1')]);
}

function writeFile(path: Buffer, file: FileState, state: State): void {
  const fd = openSync(path, 'w+', 0o640);
  try {
    if (file.node.bytes) writeFileSync(fd, file.node.bytes);
    for (const { op, tear } of file.ops) {
      if (op.kind === 'truncate') {
        ftruncateSync(fd, op.at);
        continue;
      }
      // Also where nothing of it is kept the size is: what was lost reads as zeros, or as what stood there.
      if (fstatSync(fd).size < op.at + op.length) ftruncateSync(fd, op.at + op.length);
      if (tear === 'hole') continue;
      const bytes = state.data.read(op.dataAt, op.length);
      if (tear === null) {
        writeSync(fd, bytes, 0, bytes.length, op.at);
        continue;
      }
      for (let at = op.at; at < op.at + op.length; ) {
        const sector = Math.floor(at / tear.sector);
        const end = Math.min((sector + 1) * tear.sector, op.at + op.length);
        if (tear.keep(sector)) writeSync(fd, bytes, at - op.at, end - at, at);
        at = end;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** Writes the state's tree into `dir`, an empty directory. */
export function materialise(state: State, dir: string): void {
  const made = new Map<Node, Buffer>();
  const fill = (node: Node, path: Buffer): void => {
    made.set(node, path);
    for (const [name, target] of state.entries.get(node) ?? []) {
      const at = pathOf(path, name);
      const before = made.get(target);
      if (target.kind === 'dir') {
        if (before !== undefined) continue; // a move that crossed a lost one: a directory has one name
        mkdirSync(at, 0o750);
        fill(target, at);
      } else if (before !== undefined) {
        linkSync(before, at);
      } else {
        const file = state.files.get(target);
        if (!file) throw new Error(`no contents for ${at}`);
        writeFile(at, file, state);
        made.set(target, at);
      }
    }
  };
  fill(state.root, Buffer.from(dir));
}

export interface Complaint {
  point: number;
  marks: readonly string[];
  choice: string;
  lost: string[];
  ordered: boolean;
  text: string;
}

/**
 * Materialises each state below `scratch` and hands it to `open`, which answers what is wrong with it, or nothing.
 *
 * @returns how many states were opened, and the first `complaintsMax` complaints: it ends there
 */
export async function checkStates(
  states: Iterable<State>,
  scratch: string,
  open: (dir: string, state: State) => Promise<string[]> | string[],
  complaintsMax = 10,
): Promise<{ states: number; complaints: Complaint[] }> {
  const complaints: Complaint[] = [];
  let count = 0;
  for (const state of states) {
    const dir = join(scratch, `state-${count++}`);
    mkdirSync(dir);
    materialise(state, dir);
    for (const text of await open(dir, state)) {
      const { point, marks, choice, lost, ordered } = state;
      complaints.push({ point, marks, choice, lost, ordered, text });
    }
    rmSync(dir, { recursive: true, force: true });
    if (complaints.length >= complaintsMax) break;
  }
  return { states: count, complaints };
}
