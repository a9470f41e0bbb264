/** What stands at a bucket's top: the marker that tells whose it is, and the LSUs. */
import { errno } from '../../engine/core/errors.ts';
import { abilitiesOf, type Difference, type Passport, warningsOf } from '../../engine/core/passport.ts';
import { checkName, checkToken, lsuFileName, markerName } from '../layout.ts';
import { type Capacity, type RootInfo, type Store, StoreError, storeErrno } from '../store.ts';
import { failed } from './failures.ts';
import type { Objects } from './objects.ts';

/** For the engine's log. */
export type Note = (level: 'info' | 'warn', text: string, more: object) => void;

type Arg<M extends keyof Store> = Parameters<Store[M]>[0];

const markerBytesMax = 1024;
/** Who asks for the marker wants to know soon whether the bucket can be reached. */
const markerBudgetMs = 3000;
const lsuFileBytesMax = 4096;
/** Nobody tells how much fits into a bucket. */
const unknownBytes = 2 ** 50;
/** LSUs that are known to be there. */
const lsusMax = 4096;

export class BucketRoot {
  readonly #objects: Objects;
  readonly #prefix: string;
  readonly #probing: boolean;
  #passport: Passport | null = null;
  readonly #note: Note;
  readonly #lsus = new Set<string>();
  #open = false;

  /** `probing`: the endpoints are asked what they do when the bucket is opened. */
  constructor(objects: Objects, probing: boolean, note: Note) {
    this.#note = note;
    this.#probing = probing;
    this.#objects = objects;
    this.#prefix = objects.bucket.keyPrefix;
    if (probing) objects.bucket.inspector.learned = (found, differences) => this.#learned(found, differences);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Throws StoreError: not mounted. */
  check(): void {
    if (!this.#open)
      throw new StoreError({ errno: storeErrno.notMounted, step: 'marker', path: 'the bucket is not open' });
  }

  async open({ root }: Arg<'openRoot'>): Promise<RootInfo> {
    this.#open = false;
    const text = await this.#marker();
    const storeId = text === null ? null : storeIdOf(text);
    if (storeId === null) {
      const path = text === null ? `there is no ${markerName}` : `${markerName} is not one of ours`;
      throw new StoreError({ errno: storeErrno.notMounted, step: 'marker', path });
    }
    await this.#demandOneStore(storeId);
    if (this.#probing) await this.#probe();
    this.#lsus.clear();
    this.#open = true;
    this.#objects.bucket.changed();
    const warnings = this.#passport === null ? [] : warningsOf(this.#passport);
    const mountOptions = `integrity=${this.#objects.abilities.integrity}`;
    return { storeId, fsType: 's3', mountPoint: root, mountOptions, warnings };
  }

  /** Bytes of one image would go to several storages: a name for the bucket is no proof that it is the same one. */
  async #demandOneStore(storeId: string): Promise<void> {
    const { bucket } = this.#objects;
    const key = this.#prefix + markerName;
    const problemWith = (text: string | null): string | null => {
      if (text === null) return `has no ${markerName}`;
      return storeIdOf(text) === storeId ? null : `shows another ${markerName} than the others`;
    };
    for (const { origin, text } of await bucket.getEverywhere(key, markerBudgetMs)) {
      const what = problemWith(text);
      if (what === null) continue;
      const path = `${origin} ${what}: endpoints must all be addresses of one storage`;
      throw new StoreError({ errno: storeErrno.notMounted, step: 'marker', path, text: path });
    }
    // Those that did not answer now are asked before they are used.
    bucket.sameStore = { key, timeoutMs: markerBudgetMs, problemWith };
  }

  /** Once a thread, and again whenever the bucket was lost; of single endpoints also when they contradict themselves. */
  async #probe(): Promise<void> {
    try {
      await this.#objects.bucket.probe();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new StoreError({ ...error.failure, errno: storeErrno.notMounted, step: 'probe' });
    }
  }

  #learned(passport: Passport, differences: readonly Difference[]): void {
    const before = this.#passport === null ? [] : warningsOf(this.#passport);
    this.#passport = passport;
    const abilities = abilitiesOf(passport);
    this.#objects.abilities = abilities;
    if (differences.length === 0) return;
    const { integrity, conditionalPut, labels, partsMax } = abilities;
    const rows = differences.map((one) => `${one.what}: ${one.before} -> ${one.after}`);
    this.#note('warn', 'an endpoint is not what its passport said', {
      differences: rows,
      integrity,
      conditionalPut,
      labels,
      partsMax,
    });
    for (const warning of warningsOf(passport)) if (!before.includes(warning)) this.#note('warn', warning, {});
  }

  async init({ text }: Arg<'initRoot'>): Promise<void> {
    const put = await this.#objects.putNew(this.#prefix + markerName, Buffer.from(text));
    if (put === null) failed('exists', markerName, errno.EEXIST);
  }

  /** Also how the coordinator finds out that the endpoints answer again, or do not. */
  async capacity(): Promise<Capacity> {
    this.check();
    if ((await this.#marker()) === null) {
      this.#open = false;
      throw new StoreError({ errno: storeErrno.notMounted, step: 'marker', path: `there is no ${markerName}` });
    }
    return { capacity: unknownBytes, free: unknownBytes, available: unknownBytes };
  }

  async makeLsu({ lsu, text }: Arg<'makeLsu'>): Promise<void> {
    this.check();
    const put = await this.#objects.putNew(this.#lsuKey(lsu), Buffer.from(text));
    if (put === null) failed('exists', lsu, errno.EEXIST);
  }

  async labelLsu({ lsu, text, token }: Arg<'labelLsu'>): Promise<void> {
    checkToken(token);
    await this.demandLsu(lsu);
    await this.#objects.put(this.#lsuKey(lsu), [Buffer.from(text)]);
  }

  async readLsu({ lsu }: Arg<'readLsu'>): Promise<{ text: string | null }> {
    this.check();
    const text = await this.#objects.text(this.#lsuKey(lsu), lsuFileBytesMax);
    if (text === null) await this.demandLsu(lsu);
    return { text };
  }

  /** An LSU without a file of its own is one all the same, when something is in it. Throws StoreError: ENOENT. */
  async demandLsu(lsu: string): Promise<void> {
    this.check();
    if (this.#lsus.has(lsu)) return;
    const key = this.#lsuKey(lsu);
    if ((await this.#objects.head(key)) === null) {
      const { objects } = await this.#objects.list(`${this.#prefix}${lsu}/`, { max: 1 });
      if (objects.length === 0) failed('open', lsu, errno.ENOENT);
    }
    if (this.#lsus.size >= lsusMax) this.#lsus.clear();
    this.#lsus.add(lsu);
  }

  #lsuKey(lsu: string): string {
    return `${this.#prefix}${checkName(lsu)}/${lsuFileName}`;
  }

  async #marker(): Promise<string | null> {
    try {
      const told = { budgetMs: markerBudgetMs, anyEndpoint: true };
      const got = await this.#objects.bucket.get(this.#prefix + markerName, markerBytesMax, told);
      return got === null ? null : got.bytes.toString('utf8');
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      throw new StoreError({ ...error.failure, errno: storeErrno.notMounted, step: 'marker' });
    }
  }
}

/** Null: no marker of ours. */
function storeIdOf(text: string): string | null {
  try {
    const { store_id: id } = JSON.parse(text) as { store_id?: unknown };
    return typeof id === 'string' && id !== '' ? id : null;
  } catch {
    return null;
  }
}
