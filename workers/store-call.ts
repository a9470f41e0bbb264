/**
 * A call of the store as it travels: JSON in the area, JSON back; packed names behind it, as bytes.
 *
 * The request may carry `root`: the opening of the storage root that this lane's store has not seen. It is opened first.
 */
import { errno } from '../engine/core/errors.ts';
import type { LaneArea } from './lane-area.ts';
import {
  type AsyncStore,
  type Store,
  type StoreAnswer,
  StoreError,
  type StoreMethod,
  type StoreRequest,
} from './store.ts';

type Request = StoreRequest & { root?: Parameters<Store['openRoot']>[0] };

const methods: Readonly<Record<StoreMethod, true>> = {
  openRoot: true,
  initRoot: true,
  capacity: true,
  makeLsu: true,
  labelLsu: true,
  readLsu: true,
  openNames: true,
  nextNames: true,
  closeNames: true,
  createImage: true,
  openImage: true,
  statImage: true,
  claims: true,
  takeClaim: true,
  dropClaim: true,
  reopenImage: true,
  fenceImage: true,
  readSums: true,
  fragmentsOf: true,
  flushImage: true,
  replaceMeta: true,
  appendSums: true,
  commitImage: true,
  removeImage: true,
  sweepList: true,
  sweepRemove: true,
  closeFiles: true,
};

/** Returns 1 when the root was opened, by this call or on the way to it; else 0. Failures are in the answer's text. */
export function storeCall(store: Store, textBytes: number, area: LaneArea): number {
  const request = requestOf(area, textBytes);
  let opened = 0;
  try {
    if (request.root !== undefined) {
      store.openRoot(request.root);
      opened = 1;
    }
    const call = store[request.method] as (arg: unknown) => ReturnType<Store[StoreMethod]>;
    const value = call.call(store, request.arg);
    if (request.method === 'openRoot') opened = 1;
    answerValue(area, value);
  } catch (error) {
    answerFailure(area, error);
  }
  return opened;
}

/** The same for a store that all lanes of a thread share: a root that is open is not opened once more on the way. */
export async function storeCallAsync(
  store: AsyncStore & { readonly isOpen: boolean },
  textBytes: number,
  area: LaneArea,
): Promise<number> {
  const request = requestOf(area, textBytes);
  let opened = 0;
  try {
    if (request.root !== undefined) {
      if (!store.isOpen) await store.openRoot(request.root);
      opened = 1;
    }
    const call = store[request.method] as (arg: unknown) => Promise<ReturnType<Store[StoreMethod]>>;
    const value = await call.call(store, request.arg);
    if (request.method === 'openRoot') opened = 1;
    answerValue(area, value);
  } catch (error) {
    answerFailure(area, error);
  }
  return opened;
}

function requestOf(area: LaneArea, textBytes: number): Request {
  const request = JSON.parse(area.text(textBytes)) as Request;
  if (!Object.hasOwn(methods, request.method)) throw new Error(`the store has no ${request.method}`);
  return request;
}

/** A call that answers nothing has no value in JSON: null stands for it. What is packed travels as it is. */
function answerValue(area: LaneArea, value: ReturnType<Store[StoreMethod]>): void {
  if (typeof value === 'object' && 'packed' in value && value.packed !== undefined) {
    const { packed, ...rest } = value;
    answer(area, { ok: true, value: rest });
    area.answerBytes(packed);
    return;
  }
  answer(area, { ok: true, value: value ?? (null as never) });
}

function answerFailure(area: LaneArea, error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
  answer(area, { ok: false, failure: error.failure });
}

function answer(area: LaneArea, content: StoreAnswer): void {
  if (area.answerText(JSON.stringify(content))) return;
  area.answerText(JSON.stringify({ ok: false, failure: { errno: -errno.EOVERFLOW, step: 'answer', path: '' } }));
}
