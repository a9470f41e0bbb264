/**
 * Which pending operations a crash keeps: all ways while they are few; else the extremes, prefixes, single ones missing
 * or alone, whole files or directories missing, and seeded samples. Writes may also be torn, or leave only their size.
 */
import type { AnyOp, DataOp, Node } from './model.ts';

/** How much of a write stayed: `keep` tells for each sector, counted from file offset 0. `hole`: only the size. */
export type Tear = { sector: number; keep: (sector: number) => boolean; name: string } | 'hole';

export interface Choice {
  kept: Set<AnyOp>;
  torn: Map<DataOp, Tear>;
  text: string;
}

export interface ChoiceOptions {
  /** Up to so many pending operations every subset is made. Default 6. */
  exhaustiveMax?: number;
  /** Random subsets where there are more. Default 24. */
  samples?: number;
  /** Random tears a write and sector size. Default 1. */
  tornSamples?: number;
  /** Default [512, 4096]. */
  sectors?: number[];
  /** 'ordered': the names of one directory reach storage in the order they changed. Default 'any'. */
  names?: 'any' | 'ordered';
}

export type Random = () => number;

/** Seeded, 0 ≤ x < 1: mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Are the kept names of each directory a beginning of what was done in it? */
export function isOrdered(pending: readonly AnyOp[], kept: Set<AnyOp>): boolean {
  const cut = new Set<Node>();
  for (const op of pending) {
    if (op.kind !== 'name') continue;
    const dirs = op.sets.map(({ dir }) => dir);
    if (!kept.has(op)) for (const dir of dirs) cut.add(dir);
    else if (dirs.some((dir) => cut.has(dir))) return false;
  }
  return true;
}

function* subsets(pending: readonly AnyOp[], options: ChoiceOptions, random: Random): Iterable<Choice> {
  const choice = (text: string, keeps: (op: AnyOp, i: number) => boolean): Choice => {
    return { kept: new Set(pending.filter(keeps)), torn: new Map(), text };
  };
  if (pending.length <= (options.exhaustiveMax ?? 6)) {
    for (let bits = 0; bits < 1 << pending.length; bits++) yield choice('subset', (_, i) => ((bits >> i) & 1) === 1);
    return;
  }
  for (let n = 0; n <= pending.length; n++) yield choice(`first ${n}`, (_, i) => i < n);
  for (const one of pending) {
    yield choice(`all but ${one.text}`, (op) => op !== one);
    yield choice(`only ${one.text}`, (op) => op === one);
  }
  yield choice('only names', (op) => op.kind === 'name');
  yield choice('only data', (op) => op.kind !== 'name');
  const touches = (op: AnyOp, node: Node) =>
    op.kind === 'name' ? op.sets.some((set) => set.dir === node) : op.node === node;
  const nodes = new Set(pending.flatMap((op) => (op.kind === 'name' ? op.sets.map(({ dir }) => dir) : [op.node])));
  for (const node of nodes) {
    yield choice(`all but node ${node.id}`, (op) => !touches(op, node));
    yield choice(`only node ${node.id}`, (op) => touches(op, node));
    const own = pending.filter((op) => touches(op, node));
    for (let n = 1; n < own.length; n++) {
      const late = new Set(own.slice(n));
      yield choice(`first ${n} of node ${node.id}`, (op) => !late.has(op));
    }
  }
  for (let n = 0; n < (options.samples ?? 24); n++) {
    const share = random();
    yield choice(`sample ${n}`, () => random() < share);
  }
}

/** Each pending write torn in several ways, with all else kept, and with all that came later lost. */
function* tears(pending: readonly AnyOp[], options: ChoiceOptions, random: Random): Iterable<Choice> {
  for (const [i, op] of pending.entries()) {
    if (op.kind !== 'write') continue;
    const ways: { text: string; tear: Tear }[] = [{ text: 'size only', tear: 'hole' }];
    for (const sector of options.sectors ?? [512, 4096]) {
      const first = Math.floor(op.at / sector);
      const last = Math.floor((op.at + op.length - 1) / sector);
      if (first === last) continue;
      const middle = (first + last + 1) >> 1;
      const add = (name: string, keep: (sector: number) => boolean) =>
        ways.push({ text: `${name} sectors of ${sector}`, tear: { sector, keep, name: `${name}/${sector}` } });
      add('early', (s) => s < middle);
      add('late', (s) => s >= middle);
      for (let n = 0; n < (options.tornSamples ?? 1); n++) {
        const seed = Math.floor(random() * 0x1_0000_0000);
        add(`random ${seed}`, (s) => randomOf(seed ^ Math.imul(s + 1, 0x9e3779b1))() < 0.5);
      }
    }
    for (const { text, tear } of ways) {
      const torn = new Map([[op, tear]]);
      yield { kept: new Set(pending), torn, text: `${text} of ${op.text}` };
      yield { kept: new Set(pending.slice(0, i + 1)), torn, text: `${text} of ${op.text}, nothing later` };
    }
  }
}

/** The ways in which a crash can treat these operations. The same seed gives the same ones. */
export function* choices(pending: readonly AnyOp[], options: ChoiceOptions, random: Random): Iterable<Choice> {
  for (const choice of [subsets(pending, options, random), tears(pending, options, random)]) {
    for (const one of choice) {
      if (options.names === 'ordered' && !isOrdered(pending, one.kept)) continue;
      yield one;
    }
  }
}
