/** The faults of one server or proxy, and the handles by which a test waits for them and lets go. */
import { readFileSync } from 'node:fs';
import type { Faulted, FaultTarget } from './fault-data.ts';

/** A fault that is at work. */
export class Fault<Action> {
  readonly data: Faulted<Action>;
  /** Requests that matched, and those that it hit. */
  matched = 0;
  hits = 0;
  /** Requests that it holds now. */
  held = 0;
  readonly #key: RegExp;
  readonly #waiting: { hits: number; resolve: () => void }[] = [];
  readonly #stalled: { held: number; resolve: () => void }[] = [];
  #holders: (() => void)[] = [];
  #isReleased = false;

  constructor(data: Faulted<Action>) {
    this.data = data;
    this.#key = globExpression(data.match.key ?? '*');
  }

  take(target: FaultTarget): boolean {
    const { op, part, endpoint, nth, every, count } = this.data.match;
    const ops = typeof op === 'string' ? [op] : op;
    if (ops !== undefined && (target.op === null || !ops.includes(target.op))) return false;
    if (!this.#key.test(target.key) || (part ?? target.part) !== target.part) return false;
    if ((endpoint ?? target.endpoint) !== target.endpoint) return false;
    this.matched++;
    if (nth !== undefined && this.matched !== nth) return false;
    if (every !== undefined && this.matched % every !== 0) return false;
    if (count !== undefined && this.hits >= count) return false;
    this.hits++;
    wake(this.#waiting, (one) => one.hits <= this.hits);
    return true;
  }

  /** Resolves when this many requests (1) have been hit. */
  hit(hits = 1): Promise<void> {
    return waitIn(this.#waiting, { hits }, this.hits >= hits);
  }

  /** Resolves when this many requests (1) are held at the same time. */
  stalled(held = 1): Promise<void> {
    return waitIn(this.#stalled, { held }, this.held >= held);
  }

  /** The server's side of a stall: until release, or until the connection is gone. */
  async hold(gone: Promise<void>): Promise<void> {
    if (this.#isReleased) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holders.push(resolve);
    this.held++;
    wake(this.#stalled, (one) => one.held <= this.held);
    await Promise.race([promise, gone]);
    this.held--;
  }

  /** Lets go of all it holds; `andEnd` (default): it holds no other any more. */
  release(andEnd = true): void {
    this.#isReleased = andEnd;
    for (const resolve of this.#holders.splice(0)) resolve();
  }
}

export class Faults<Action> {
  readonly #check: (data: Faulted<Action>) => void;
  #list: Fault<Action>[] = [];

  /** `check` throws on what is no fault: a typing error would make a test that cannot fail. */
  constructor(check: (data: Faulted<Action>) => void) {
    this.#check = check;
  }

  add(data: Faulted<Action>): Fault<Action> {
    this.#check(data);
    const fault = new Fault(data);
    this.#list.push(fault);
    return fault;
  }

  /** A JSON file: an array of FaultData. */
  load(path: string | URL): Fault<Action>[] {
    const data: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!Array.isArray(data)) throw new TypeError(`${path}: faults are an array`);
    return data.map((one) => this.add(one as Faulted<Action>));
  }

  remove(fault: Fault<Action>): void {
    fault.release();
    this.#list = this.#list.filter((one) => one !== fault);
  }

  /** Releases what is held, and forgets all faults. */
  clear(): void {
    this.release();
    this.#list = [];
  }

  release(): void {
    for (const fault of this.#list) fault.release();
  }

  /** The fault that hits this request, if any. */
  take(target: FaultTarget): Fault<Action> | null {
    return this.#list.find((fault) => fault.take(target)) ?? null;
  }
}

function globExpression(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 's');
}

function waitIn<T extends object>(list: (T & { resolve: () => void })[], entry: T, isNow: boolean): Promise<void> {
  if (isNow) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  list.push({ ...entry, resolve });
  return promise;
}

function wake<T extends { resolve: () => void }>(list: T[], isDue: (one: T) => boolean): void {
  for (const one of list.filter(isDue)) {
    list.splice(list.indexOf(one), 1);
    one.resolve();
  }
}
