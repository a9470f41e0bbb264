/** Lists of images, over a store that answers at once. */
import { setImmediate as immediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ServerContext } from '../../engine/coordinator/context.ts';
import { GiveWay } from '../../engine/coordinator/give-way.ts';
import { Lists } from '../../engine/coordinator/lists.ts';

test('a list is closed at once while the next page finds nothing in a directory that goes on and on', async () => {
  let reads = 0;
  let closed = false;
  const names = async () => {
    await immediate();
    // One image whose meta is damaged, and then nothing that is an image's.
    return { names: [{ name: reads++ === 0 ? 'image~1' : 'no image', meta: null }] };
  };
  const storage = {
    call: (_what: string, method: string) => (method === 'nextNames' ? names() : Promise.resolve({ list: 1 })),
    letGo: () => {
      closed = true;
      return Promise.resolve();
    },
  };
  const mounts = { run: (_key: string, _when: string, call: (ctx: unknown) => unknown) => call({ storage }) };
  const lists = new Lists({ mounts, giveWay: new GiveWay() } as unknown as ServerContext);
  const id = (await lists.open('lsu', 'lsu', 0)).readUInt32LE(0);
  expect((await lists.nextImages(id)).readUInt32LE(0)).toBe(1);
  while (reads < 10) await immediate();
  await lists.close(id);
  expect(closed).toBe(true);
});
