/** What a step's failure says of whether something may have been done: whoever hears it decides about another mount. */
import { expect, test } from 'vitest';
import { NotMounted, NotReached, Storage, type StoreLanes } from '../../engine/coordinator/storage.ts';
import { Failed } from '../../engine/core/errors.ts';
import { StoreError, type StoreFailure, storeErrno } from '../../engine/core/store.ts';

const options = { root: '/mnt/a', requireMount: false, direct: false, kind: 'file', remedy: 'mount it' } as const;
const root = { storeId: '0'.repeat(32), fsType: 'nfs', mountPoint: '/mnt/a', mountOptions: '', warnings: [] };
const [EIO, ETIMEDOUT] = [-5, -110];
const notMounted: StoreFailure = { errno: storeErrno.notMounted, step: 'marker', path: 'there is no .vast-ost-store' };
const notReached: StoreFailure = { errno: EIO, step: 'open', path: '' };
const halfDone: StoreFailure = { errno: ETIMEDOUT, step: 'rename', path: 'lsu/image' };

/** Lanes that answer with these failures, one call after the other; null: it works. */
function lanes(failures: (StoreFailure | null)[]): StoreLanes {
  const left = [...failures];
  return {
    call: (async (method: string) => {
      const failure = left.shift();
      if (failure === undefined) throw new Error(`one call too many: ${method}`);
      if (failure !== null) throw new StoreError(failure);
      return method === 'openRoot' ? root : undefined;
    }) as StoreLanes['call'],
  };
}

async function failureOf(failures: (StoreFailure | null)[]): Promise<unknown> {
  const storage = new Storage(options, lanes(failures), () => undefined);
  const removed = { lsu: 'lsu', image: 'image', token: '0' };
  return storage.call('image i', 'removeImage', removed).then(
    () => null,
    (error: unknown) => error,
  );
}

test('nothing was begun: it may be done on another mount', async () => {
  expect(await failureOf([notReached])).toBeInstanceOf(NotReached);
  expect(await failureOf([null, notMounted, notReached])).toBeInstanceOf(NotReached);
  expect(await failureOf([null, notMounted, notMounted])).toMatchObject({ touched: false });
});

test('an earlier try may have done it: it is not done again on another mount', async () => {
  const gone = await failureOf([null, halfDone, notMounted, notMounted]);
  expect(gone).toBeInstanceOf(NotMounted);
  expect(gone).toMatchObject({ touched: true });
  const silent = await failureOf([null, halfDone, notMounted, notReached]);
  expect(silent).toBeInstanceOf(Failed);
  expect(silent).not.toBeInstanceOf(NotReached);
  expect(silent).toMatchObject({ errno: 5, message: expect.stringContaining('EIO') });
});
