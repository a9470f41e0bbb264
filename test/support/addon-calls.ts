/**
 * Sees and spoils the addon's file-system calls in this process: each is counted, and any one can be made to fail,
 * without being carried out ('before') or having been carried out all the same ('after': the answer was lost).
 */
import { type Addon, addon } from '../../native/addon/index.ts';

/** Calls that are file-system calls. Closing is left out: it is no step of any protocol. */
const names = [
  'openFile',
  'makeDir',
  'renameFile',
  'linkFile',
  'unlinkFile',
  'syncFile',
  'syncData',
  'startWriteback',
  'truncateFile',
  'changeMode',
  'statFile',
  'statAt',
  'statFileSystem',
  'writeBytes',
  'readBytes',
  'lockFile',
  'openList',
  'nextNames',
  'readListed',
  'writeSlot',
  'readSlot',
  'writeEdge',
  'cloneFile',
  'copyRange',
] as const satisfies readonly (keyof Addon)[];
type CallName = (typeof names)[number];

export interface Call {
  name: CallName;
  args: unknown[];
  result: unknown;
}

export interface Fault {
  /** Which call fails, counted from 0. */
  at: number;
  errno: number;
  when: 'before' | 'after';
}

export class AddonCalls implements Disposable {
  readonly calls: Call[] = [];
  fault: Fault | null = null;
  readonly #skipped: Set<CallName>;
  readonly #real = new Map<CallName, unknown>();

  /** `skipSyncs`: answer them without carrying them out, for tests in which nobody loses power: they take all the time. */
  constructor(options: { skipSyncs?: boolean } = {}) {
    this.#skipped = new Set(options.skipSyncs ? ['syncFile', 'syncData'] : []);
    const table = addon as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const name of names) {
      const real = table[name];
      this.#real.set(name, real);
      table[name] = (...args) => this.#called(name, real, args);
    }
  }

  /** Names of the calls since the start or the last reset. */
  get names(): string[] {
    return this.calls.map(({ name }) => name);
  }

  reset(fault: Fault | null = null): void {
    this.calls.length = 0;
    this.fault = fault;
  }

  [Symbol.dispose](): void {
    const table = addon as unknown as Record<string, unknown>;
    for (const [name, real] of this.#real) table[name] = real;
  }

  #called(name: CallName, real: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    const fails = this.fault !== null && this.fault.at === this.calls.length;
    let result: unknown;
    if (fails && this.fault!.when === 'before') result = -this.fault!.errno;
    else {
      result = this.#skipped.has(name) ? 0 : real.apply(addon, args);
      if (fails) {
        // What was opened behind a lost answer would leak in this process, and in no real one.
        if (name === 'openFile' && typeof result === 'number' && result >= 0) addon.closeFile(result);
        if (name === 'openList' && typeof result === 'number' && result >= 0) addon.closeList(result);
        result = -this.fault!.errno;
      }
    }
    this.calls.push({ name, args, result });
    return result;
  }
}
