/**
 * Explores every interleaving of a few threads that talk through shared memory and `Atomics`, running the shipped code.
 *
 * A thread is an async function that takes its Atomics as an argument and is deterministic but for what they answer. It
 * cannot be suspended, so it is run again from its start for every step: calls that were already answered get the logged
 * answer, and the first one beyond the log ends the run and becomes the thread's pending call. The scheduler then picks
 * any thread and does one of
 *
 *   call    perform the pending Atomics call on the shared memory, log the answer, run on to the next call
 *   read    the same running on, later, where it reads plain memory: it sees the memory of this moment
 *   flush   let one half of a record that was written plainly become visible; a store waits until all of it is
 *   wake    end a sleep: by a notify before, or by time where a timeout was given
 *
 * So a plain write is seen at any moment between its own and the next store of that thread, in halves; a plain read may
 * come late as well. Running on at once is tried on poisoned plain memory: a thread that takes no notice reads none.
 * States that were met before are not explored again: a thread's own state follows from its log.
 */
import { hash } from 'node:crypto';
import type { AsyncWait, AtomicsLike, WaitResult, Words } from '../../engine/ring/index.ts';

type CallName = 'load' | 'store' | 'notify' | 'wait' | 'waitAsync' | 'awaken' | 'pause';

interface Call {
  name: CallName;
  word: number;
  value: number;
  /** False for a sleep that only a notify ends. */
  timed: boolean;
}

/** One answered call, and the plain memory that the thread saw when it ran on from there. */
interface Answer {
  result: number | string;
  seen: Int32Array;
}

/** Of one state; what a step changes is copied before, all else is shared with the state before it. */
interface Thread {
  answers: Answer[];
  /** Their results, which with what is below decide what the thread can still do. */
  told: string;
  /** Called, not answered yet; null: to run on, or done. */
  pending: Call | null;
  sleeping: 'no' | 'yes' | 'woken';
  done: boolean;
  /** Plain writes that are not visible yet, oldest first: index, value. */
  unseen: [number, number][];
  /** The atomic words at the last load: a paused thread runs on when one has changed. */
  lastLook: string;
}

interface State {
  words: Int32Array;
  threads: Thread[];
  parent: State | null;
  step: string;
  depth: number;
}

export interface Bench {
  atomics: AtomicsLike;
  /** Memory of this run: what the code under test takes for the shared one. */
  memory: SharedArrayBuffer;
  /** Found nothing to do: run on only after another thread changed an atomic word. */
  pause(): void;
}

export interface World {
  /** Contents of the shared memory at the start. */
  start: Int32Array;
  /** Words that are used through Atomics only. All others are plain. */
  atomicWords: readonly number[];
  threads: ((bench: Bench) => Promise<void>)[];
}

export interface Finding {
  kind: 'wrong' | 'stuck' | 'endless' | 'limit';
  text: string;
  /** The schedule that leads there. */
  trace: string[];
}

export interface Exploration {
  states: number;
  finding: Finding | null;
}

const depthMax = 400;
const flushWords = 8;
const nothing = new Int32Array(0);
/** No record has it. */
const poison = -559_038_737;

/** Thrown out of the code under test at its first unanswered call. */
const yielded = Symbol('yielded');

/** Runs one thread over its log. Resolves with the call behind it, 'done', or the error that the thread threw. */
async function replay(world: World, index: number, thread: Thread): Promise<{ call: Call | null; memory: Int32Array }> {
  const memory = new SharedArrayBuffer(world.start.byteLength);
  const words = new Int32Array(memory);
  words.set(world.start);
  let answered = 0;
  let stopped = false;
  const blocked = Promise.withResolvers<Call>();

  /** The logged answer, or undefined at the end of the log. */
  function next(): Answer | undefined {
    const answer = thread.answers[answered++];
    if (answer) words.set(answer.seen);
    return answer;
  }

  function call(name: CallName, word: number, value = 0, timed = false): number | string {
    if (stopped) throw yielded;
    const answer = next();
    if (answer) return answer.result;
    stopped = true;
    blocked.resolve({ name, word, value, timed });
    throw yielded;
  }

  const isTimed = (timeoutMs?: number) => timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY;
  const atomics: AtomicsLike = {
    load: (_: Words, word) => call('load', word) as number,
    store: (_: Words, word, value) => call('store', word, value) as number,
    notify: (_: Words, word) => call('notify', word) as number,
    wait: (_: Words, word, value, timeoutMs) => call('wait', word, value, isTimed(timeoutMs)) as WaitResult,
    waitAsync(_: Words, word, value, timeoutMs): AsyncWait {
      const result = call('waitAsync', word, value, isTimed(timeoutMs));
      if (result !== 'asleep') return { async: false, value: result as 'not-equal' };
      // The answer is asked for when it is awaited, as late as the event loop can deliver it.
      // biome-ignore lint/suspicious/noThenProperty: stands for the promise of Atomics.waitAsync
      const value_ = { then: (resolve: (value: string) => void) => resolve(call('awaken', word) as string) };
      return { async: true, value: value_ as unknown as Promise<'ok' | 'timed-out'> };
    },
  };

  // The thread may start late as well: its first call stands for that.
  const run = world.threads[index]({ atomics, memory, pause: () => void call('pause', 0) }).then(
    () => null,
    (error) => (error === yielded ? blocked.promise : Promise.reject(error)),
  );
  const reached = await Promise.race([run, blocked.promise]);
  return { call: reached, memory: words };
}

function look(world: World, state: State): string {
  return world.atomicWords.map((word) => state.words[word]).join();
}

/** Everything that decides what can still happen. */
function keyOf({ words, threads }: State): string {
  let text = words.join();
  for (const t of threads)
    text += `;${t.told}|${t.pending?.name}${t.sleeping}${t.done}|${t.unseen.join()}|${t.lastLook}`;
  return hash('sha1', text, 'base64');
}

type Choice = { thread: number; kind: 'call' | 'read' | 'flush' | 'wake' | 'timeout' };

function choices(world: World, state: State): Choice[] {
  const all: Choice[] = [];
  state.threads.forEach((t, thread) => {
    if (t.unseen.length > 0) all.push({ thread, kind: 'flush' });
    if (t.done) return;
    if (t.pending === null) all.push({ thread, kind: 'read' });
    else if (t.sleeping === 'woken') all.push({ thread, kind: 'wake' });
    else if (t.sleeping === 'yes') {
      if (t.pending.timed) all.push({ thread, kind: 'timeout' });
    } else if (t.pending.name === 'store') {
      if (t.unseen.length === 0) all.push({ thread, kind: 'call' });
    } else if (t.pending.name !== 'pause' || look(world, state) !== t.lastLook) all.push({ thread, kind: 'call' });
  });
  return all;
}

function copyOf(state: State, step: string, thread: number): State {
  const threads = state.threads.slice();
  const t = threads[thread];
  threads[thread] = { ...t, answers: t.answers.slice(), unseen: t.unseen.slice() };
  return { words: state.words.slice(), threads, parent: state, step, depth: state.depth + 1 };
}

function answer(thread: Thread, result: number | string): void {
  thread.answers.push({ result, seen: nothing });
  thread.told += `,${result}`;
  thread.pending = null;
  thread.sleeping = 'no';
}

function performCall(world: World, state: State, thread: Thread, call: Call): void {
  const { words } = state;
  if (call.name === 'load') {
    thread.lastLook = look(world, state);
    answer(thread, words[call.word]);
  } else if (call.name === 'store') {
    words[call.word] = call.value;
    answer(thread, call.value);
  } else if (call.name === 'notify') {
    let woken = 0;
    state.threads.forEach((other, i) => {
      if (other.sleeping !== 'yes' || other.pending?.word !== call.word) return;
      state.threads[i] = { ...other, sleeping: 'woken' };
      woken++;
    });
    answer(thread, woken);
  } else if (call.name === 'pause') {
    answer(thread, 0);
  } else if (words[call.word] !== call.value) {
    answer(thread, 'not-equal');
  } else if (call.name === 'wait') {
    thread.sleeping = 'yes';
  } else {
    // The code runs on at once; the sleep goes on under its next call, 'awaken'.
    answer(thread, 'asleep');
    thread.pending = null;
    thread.sleeping = 'yes';
    thread.pending = { ...call, name: 'awaken' };
  }
}

/** Runs a thread on from its last answer, with plain memory as in `plain`; its plain writes become unseen ones. */
async function runOn(world: World, state: State, index: number, plain: Int32Array): Promise<void> {
  const thread = state.threads[index];
  const seen = plain.slice();
  for (const word of world.atomicWords) seen[word] = state.words[word];
  const last = thread.answers.at(-1);
  if (last) thread.answers[thread.answers.length - 1] = { result: last.result, seen };
  const { call, memory } = await replay(world, index, thread);
  for (let at = 0; last && at < memory.length; at++) {
    if (memory[at] !== seen[at]) thread.unseen.push([at, memory[at]]);
  }
  thread.done = call === null;
  thread.pending = call;
}

/** Runs a thread on at once where that cannot be told from running on later. */
async function tryRunOn(world: World, state: State, index: number): Promise<void> {
  const thread = state.threads[index];
  if (thread.pending || thread.done) return;
  try {
    await runOn(world, state, index, new Int32Array(state.words.length).fill(poison));
  } catch {
    // It read the poison, or fails whatever it reads: the 'read' step will tell.
  }
}

/** Plain memory as one thread sees it: its own writes at once. */
function withOwn(state: State, thread: Thread): Int32Array {
  const words = state.words.slice();
  for (const [at, value] of thread.unseen) words[at] = value;
  return words;
}

async function take(world: World, from: State, choice: Choice): Promise<State> {
  const before = from.threads[choice.thread];
  const shown = choice.kind === 'call' ? `${before.pending?.name}[${before.pending?.word}]` : choice.kind;
  const state = copyOf(from, `${choice.thread}:${shown}`, choice.thread);
  const thread = state.threads[choice.thread];
  if (choice.kind === 'read') await runOn(world, state, choice.thread, withOwn(state, thread));
  else if (choice.kind === 'flush')
    for (const [at, value] of thread.unseen.splice(0, flushWords)) state.words[at] = value;
  else if (choice.kind === 'wake') answer(thread, 'ok');
  else if (choice.kind === 'timeout') answer(thread, 'timed-out');
  else if (thread.pending) performCall(world, state, thread, thread.pending);
  await tryRunOn(world, state, choice.thread);
  return state;
}

function finding(kind: Finding['kind'], text: string, state: State): Finding {
  const trace: string[] = [];
  for (let s: State | null = state; s; s = s.parent) if (s.step) trace.unshift(s.step);
  return { kind, text, trace };
}

/** Goes through all states that can be reached, depth first, until something is found or nothing is left. */
export async function explore(world: World, statesMax = 2_000_000): Promise<Exploration> {
  const fresh = (): Thread => ({
    answers: [],
    told: '',
    pending: null,
    sleeping: 'no',
    done: false,
    unseen: [],
    lastLook: '',
  });
  const threads = world.threads.map(fresh);
  const first: State = { words: world.start.slice(), threads, parent: null, step: '', depth: 0 };
  for (let i = 0; i < threads.length; i++) await tryRunOn(world, first, i);
  const stack = [first];
  const met = new Set<string>();
  for (let state = stack.pop(); state; state = stack.pop()) {
    const open = choices(world, state);
    if (open.length === 0 && state.threads.some((t) => !t.done)) {
      const where = state.threads.map((t, i) => (t.done ? '' : `${i} in ${t.pending?.name}[${t.pending?.word}]`));
      return { states: met.size, finding: finding('stuck', `nobody can go on: ${where.filter(Boolean)}`, state) };
    }
    if (state.depth > depthMax) return { states: met.size, finding: finding('endless', 'no end', state) };
    for (const choice of open) {
      let next: State;
      try {
        next = await take(world, state, choice);
      } catch (error) {
        const text = (error as Error).message;
        return {
          states: met.size,
          finding: finding('wrong', text, { ...state, parent: state, step: `${choice.thread}:!` }),
        };
      }
      const key = keyOf(next);
      if (met.has(key)) continue;
      met.add(key);
      if (met.size > statesMax) return { states: met.size, finding: finding('limit', 'too many states', next) };
      stack.push(next);
    }
  }
  return { states: met.size, finding: null };
}
