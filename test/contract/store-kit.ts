/** What the store suites share: stores on fresh storage, payload through an arena as the io lanes do it, leak counts. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf } from '../../engine/core/packed-names.ts';
import { addon } from '../../native/addon/index.ts';
import { FileStore } from '../../workers/file/file-store.ts';
import { MemStore } from '../../workers/mem/mem-store.ts';
import { type FlushArg, type OpenFiles, type Store, StoreError, type StoreFailure } from '../../workers/store.ts';

export const lsu = 'daily';
export const image = 'client_1_F1~1700000000';
export const path = { lsu, image };
export const chunkBytes = 1_048_576;
export const headerBytes = 64;
export const slotBytes = 4 * chunkBytes;
export const marker = `${JSON.stringify({ format: 1, store_id: 'aaaa' })}\n`;

/** Either kind: a call that is awaited is the same with both. */
export type AnyStore = {
  [M in keyof Store]: (arg: Parameters<Store[M]>[0]) => ReturnType<Store[M]> | Promise<ReturnType<Store[M]>>;
};

/** What one kind of storage can do and another cannot. */
export interface StoreTraits {
  /** Bytes of a pending image can be read back, stay over a close without a flush, and are cut at will. */
  readonly pendingBytes: boolean;
  /** A directory is renamed: what is removed stays with those who have it open, and waits in .trash. */
  readonly renames: boolean;
}
export const directoryTraits: StoreTraits = { pendingBytes: true, renames: true };

/** Bytes into an open image, and back: what the lanes of the store do. */
export interface AnyPayload {
  write(file: number, bytes: Uint8Array, offset: number): void | Promise<void>;
  read(file: number, length: number, offset: number): Buffer | Promise<Buffer>;
}

export interface StoreKit extends Disposable {
  readonly store: Store;
  readonly root: string;
}
/** What a page supplies; the suite ends it, whichever way it ends. */
export type AnyKit = { readonly store: AnyStore; readonly root: string; readonly payload?: AnyPayload } & (
  | Disposable
  | AsyncDisposable
);

export function testRoot(): string {
  const base = process.env.VAST_OST_TEST_DIR ?? new URL('../../build/test/', import.meta.url).pathname;
  mkdirSync(base, { recursive: true });
  return mkdtempSync(join(base, 'store-'));
}

/** A file store with its marker, its root open, and one LSU. */
export function fileKit(options: { direct?: boolean; lsu?: boolean } = {}): StoreKit & { store: FileStore } {
  const root = testRoot();
  const store = new FileStore();
  store.initRoot({ root, text: marker });
  store.openRoot({ root, requireMount: false, direct: options.direct ?? true });
  if (options.lsu ?? true) store.makeLsu({ lsu, text: '{"lsu":"daily"}' });
  return {
    store,
    root,
    [Symbol.dispose]() {
      store.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export function memKit(): StoreKit & { store: MemStore } {
  const store = new MemStore();
  const root = '/memory';
  store.openRoot({ root, requireMount: false, direct: true });
  store.makeLsu({ lsu, text: '{"lsu":"daily"}' });
  return { store, root, [Symbol.dispose]: () => store.losePower() };
}

/** The failure of a call that must fail. */
export function failureOf(call: () => unknown): StoreFailure {
  try {
    call();
  } catch (error) {
    if (error instanceof StoreError) return error.failure;
    throw error;
  }
  throw new Error('the call succeeded');
}

/** The same of a call that may take its time. */
export async function rejection(call: () => unknown): Promise<StoreFailure> {
  try {
    await call();
  } catch (error) {
    return failureOf(() => {
      throw error;
    });
  }
  throw new Error('the call succeeded');
}

/** [files, lists, arenas, SHA states, watches] that are open in this process. */
export function openCounts(): number[] {
  const out = new Float64Array(5);
  addon.counts(out);
  return [...out];
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** CRCs 1000, 1001 … as they stand in image.sums: stores do not look at them. */
export function crcs(first: number, count: number): string {
  return base64(new Uint8Array(BigUint64Array.from({ length: count }, (_, i) => BigInt(1000 + first + i)).buffer));
}

export const sumsHeader = base64(new Uint8Array(headerBytes).fill(0x48));

export function claimText(who: string): string {
  return `{"token":"${who}"}\n`;
}

export function create(store: Store, name?: string, token?: string): OpenFiles;
export function create(store: AnyStore, name?: string, token?: string): OpenFiles | Promise<OpenFiles>;
export function create(store: AnyStore, name = image, token = 'token-1'): OpenFiles | Promise<OpenFiles> {
  return store.createImage({
    lsu,
    image: name,
    token,
    meta: `{"meta":"${token}"}`,
    claim: claimText(token),
    sumsHeader,
  });
}

/** A flush of `image` that leaves its sums alone. */
export function flushArg(files: OpenFiles, meta: string, size = 0): FlushArg {
  return { ...path, files, token: 'token-1', meta, size, sumsAt: -1, crcs: '' };
}

/** Completes `image` at this size, with the sum of one chunk. */
export function commitArg(files: OpenFiles, size: number): Parameters<Store['commitImage']>[0] {
  const sums = { sumsAt: headerBytes, crcs: crcs(0, 1) };
  return { ...flushArg(files, '{"complete":1}', size), ...sums, claim: claimText('token-1'), claimN: 1 };
}

export function close(store: AnyStore, files: OpenFiles): void | Promise<void> {
  return store.closeFiles({ files: [files.data, files.sums, files.dir] });
}

/** Bytes through a slot into a file, and back: what the io lanes do. */
export class Payload implements AnyPayload, Disposable {
  readonly #arena = addon.arenaOpen(slotBytes);

  write(file: number, bytes: Uint8Array, offset: number): void {
    addon.arenaPoke(this.#arena, 0, bytes);
    const result = addon.writeSlot(file, this.#arena, 0, bytes.length, offset);
    if (result !== bytes.length) throw new Error(`write answered ${result}`);
  }

  read(file: number, length: number, offset: number): Buffer {
    const result = addon.readSlot(file, this.#arena, 0, length, offset);
    if (result < 0) throw new Error(`read answered ${result}`);
    const bytes = Buffer.alloc(result);
    addon.arenaPeek(this.#arena, 0, bytes);
    return bytes;
  }

  [Symbol.dispose](): void {
    addon.arenaClose(this.#arena);
  }
}

/** Bytes that tell where they belong. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 4) bytes.writeUInt32LE((Math.imul(i + 1, 2_654_435_761) ^ seed) >>> 0, i);
  return bytes;
}

/** All names of an LSU, or all LSUs. */
export async function names(
  store: AnyStore,
  of: string | null,
  meta = false,
  max = 3,
): Promise<{ name: string; meta: string | null }[]> {
  const { list } = await store.openNames({ lsu: of });
  const all: { name: string; meta: string | null }[] = [];
  for (;;) {
    const page = textsOf(await store.nextNames({ list, lsu: of, max, meta }));
    if (page.length > max) throw new Error(`${page.length} names were more than asked for`);
    if (page.length === 0) break;
    all.push(...page);
  }
  await store.closeNames({ list });
  return all;
}

/** Names with the texts of their metas, packed or not. */
export function textsOf(page: ReturnType<Store['nextNames']>): { name: string; meta: string | null }[] {
  return Array.from(entriesOf(page), ({ name, meta }) => ({ name, meta: meta?.toString() ?? null }));
}

/** Everything sweepList finds. */
export async function sweepAll(store: AnyStore, max = 2): Promise<ReturnType<Store['sweepList']>['items']> {
  const items: ReturnType<Store['sweepList']>['items'] = [];
  let list = -1;
  do {
    const step = await store.sweepList({ lsu, list, max });
    items.push(...step.items);
    list = step.list;
  } while (list >= 0);
  return items;
}

/** What a test of the suite works with: fresh for each. */
export interface SuiteContext {
  kit: AnyKit;
  store: AnyStore;
  payload: AnyPayload;
  readonly traits: StoreTraits;
  /** A store that has no root open. */
  makeClosed(): AnyStore;
  /** Makes an image of these bytes that is complete, its sums 1000, 1001 … */
  complete(name: string, bytes: Buffer, token?: string): Promise<void>;
}
