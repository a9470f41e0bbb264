/**
 * The power-loss checker: every state that storage may be in after losing power at any moment of a logged run.
 *
 *   const base = takeSnapshot(root);            // before the engine starts
 *   …run the engine with `new Shim(dir, 'data')`; shim.mark(…) after each acknowledgement…
 *   for (const state of crashStates(shim.readLog(), { base, data: dataFile(shim.data), seed })) {
 *     materialise(state, emptyDirectory);
 *     …open it; state.marks is what had been acknowledged before the crash…
 *   }
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { LogLine } from '../shim/log.ts';
import { type Choice, type ChoiceOptions, choices, isOrdered, randomOf, type Tear } from './choices.ts';
import { type DataOp, Model, type ModelOptions, type Node, setEntry } from './model.ts';
import type { Snapshot } from './snapshot.ts';

/** Bytes of the shim's data file. */
export interface DataSource {
  read(at: number, length: number): Buffer;
}

export interface CrashOptions extends ChoiceOptions, ModelOptions {
  base: Snapshot;
  data: DataSource;
  seed: number;
  /** At most so many states for one crash point, drawn by the seed. Default: all. */
  statesPerPointMax?: number;
}

export interface FileState {
  node: Node;
  /** In order; null: whole. */
  ops: { op: DataOp; tear: Tear | null }[];
}

export interface State {
  /** Lines of the log that had happened; its length: the end. */
  point: number;
  /** What the test had noted before the crash. */
  marks: readonly string[];
  /** Which operations were lost or torn, for people. */
  lost: string[];
  choice: string;
  /** False: names of one directory came in another order than they changed in. Few file systems do that. */
  ordered: boolean;
  /** Same key, same tree. */
  key: string;
  root: Node;
  entries: Map<Node, Map<string, Node>>;
  files: Map<Node, FileState>;
  data: DataSource;
}

/** Reads the data file as far as it is needed. */
export function dataFile(path: string): DataSource {
  return {
    read(at, length) {
      const bytes = Buffer.alloc(length);
      const fd = openSync(path, 'r');
      try {
        for (let done = 0; done < length; ) {
          const got = readSync(fd, bytes, done, length - done, at + done);
          if (got === 0) throw new Error(`${path} ends before ${at + length}`);
          done += got;
        }
      } finally {
        closeSync(fd);
      }
      return bytes;
    },
  };
}

/** Each state once for each set of marks, in the order of the crash points. */
export function* crashStates(log: readonly LogLine[], options: CrashOptions): Iterable<State> {
  const model = new Model(options.base, options);
  const random = randomOf(options.seed);
  const seen = new Set<string>();
  for (let point = 0; point <= log.length; point++) {
    if (point > 0 && !model.take(log[point - 1]) && point < log.length) continue;
    if (point === log.length) model.takeUnended();
    let states: State[] = [];
    for (const choice of choices(model.pending, options, random)) {
      const state = stateOf(model, choice, point, options.data);
      const key = `${state.key} ${model.marks.length}`;
      if (seen.has(key)) continue;
      seen.add(key);
      states.push(state);
    }
    const max = options.statesPerPointMax ?? states.length;
    if (states.length > max) states = draw(states, max, random);
    yield* states;
  }
}

function draw(states: State[], max: number, random: () => number): State[] {
  const left = states.slice();
  const drawn = [];
  for (let n = 0; n < max; n++) drawn.push(...left.splice(Math.floor(random() * left.length), 1));
  return drawn.sort((a, b) => states.indexOf(a) - states.indexOf(b));
}

function stateOf(model: Model, choice: Choice, point: number, data: DataSource): State {
  const entries = new Map([...model.firstEntries].map(([dir, names]) => [dir, new Map(names)]));
  for (const op of model.nameOps) {
    if (!op.durable && !choice.kept.has(op)) continue;
    for (const { dir, name, target } of op.sets) setEntry(entries, dir, name, target);
  }
  const files = new Map<Node, FileState>();
  const hash = createHash('sha1');
  reach(model.root, entries, hash, (node) => {
    const ops = node.ops
      .filter((op) => op.durable || choice.kept.has(op))
      .map((op) => ({ op, tear: op.durable ? null : (choice.torn.get(op) ?? null) }));
    files.set(node, { node, ops });
    const tearName = (tear: Tear | null) => (tear === null ? '' : tear === 'hole' ? 'hole' : tear.name);
    return ops.map(({ op, tear }) => op.id + tearName(tear)).join();
  });
  const lost = model.pending.filter((op) => !choice.kept.has(op)).map((op) => `lost: ${op.text}`);
  for (const op of choice.torn.keys()) lost.push(`torn: ${op.text}`);
  return {
    point,
    marks: model.marks.slice(),
    lost,
    choice: choice.text,
    ordered: isOrdered(model.pending, choice.kept),
    key: hash.digest('base64'),
    root: model.root,
    entries,
    files,
    data,
  };
}

type Hash = ReturnType<typeof createHash>;

/** Goes through all that has a name, each once, in the order of names. */
function reach(root: Node, entries: Map<Node, Map<string, Node>>, hash: Hash, onFile: (node: Node) => string): void {
  const done = new Set<Node>();
  const visit = (node: Node): void => {
    hash.update(`${node.id}:`);
    if (done.has(node)) return;
    done.add(node);
    if (node.kind === 'file') {
      hash.update(onFile(node));
      return;
    }
    for (const [name, target] of [...(entries.get(node) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${JSON.stringify(name)}=`);
      visit(target);
    }
    hash.update('.');
  };
  visit(root);
}
