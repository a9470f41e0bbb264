/**
 * A call of the store as it travels: JSON in the area, JSON back.
 *
 * The request may carry `root`: the opening of the storage root that this lane's store has not seen. It is opened first.
 */
import { errno } from '../engine/core/errors.ts';
import type { LaneArea } from './lane-area.ts';
import { type Store, type StoreAnswer, StoreError, type StoreMethod, type StoreRequest } from './store.ts';

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
  readSums: true,
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
  const request = JSON.parse(area.text(textBytes)) as Request;
  if (!Object.hasOwn(methods, request.method)) throw new Error(`the store has no ${request.method}`);
  let opened = 0;
  let answer: StoreAnswer;
  try {
    if (request.root !== undefined) {
      store.openRoot(request.root);
      opened = 1;
    }
    const call = store[request.method] as (arg: unknown) => ReturnType<Store[StoreMethod]>;
    // A call that answers nothing has no value in JSON: null stands for it.
    answer = { ok: true, value: call.call(store, request.arg) ?? (null as never) };
    if (request.method === 'openRoot') opened = 1;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    answer = { ok: false, failure: error.failure };
  }
  if (!area.answerText(JSON.stringify(answer))) {
    area.answerText(JSON.stringify({ ok: false, failure: { errno: -errno.EOVERFLOW, step: 'answer', path: '' } }));
  }
  return opened;
}
