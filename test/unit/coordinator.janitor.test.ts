/** A round that hangs on its mount keeps nobody from a round on another one. */
import { expect, test } from 'vitest';
import type { Context, ServerContext } from '../../engine/coordinator/context.ts';
import { GiveWay } from '../../engine/coordinator/give-way.ts';
import { Janitor } from '../../engine/coordinator/janitor.ts';

/** A mount without LSUs; `opens` counts the rounds that began there. */
function mount(answer: Promise<void>) {
  const counted = { opens: 0 };
  const storage = {
    async call(_: string, method: string) {
      if (method === 'openNames') counted.opens++;
      await answer;
      return method === 'openNames' ? { list: 1 } : { names: [] };
    },
    letGo: async () => undefined,
  };
  return { counted, ctx: { storage } as unknown as Context };
}

test('one round a mount, and none waits for another mount', async () => {
  const answer = Promise.withResolvers<void>();
  const [hangs, healthy] = [mount(answer.promise), mount(Promise.resolve())];
  let best = hangs;
  const bug = (where: string, error: unknown) => {
    throw new Error(where, { cause: error });
  };
  const ctx = { mounts: { pick: async () => best.ctx }, bug, giveWay: new GiveWay() } as unknown as ServerContext;
  const janitor = new Janitor(ctx, () => false);
  const first = janitor.run();
  const second = janitor.run();
  await new Promise(setImmediate);
  expect(hangs.counted.opens).toBe(1);
  best = healthy;
  await janitor.run();
  expect(healthy.counted.opens).toBe(1);
  answer.resolve();
  await Promise.all([first, second]);
  await janitor.stop();
  expect(hangs.counted.opens).toBe(1);
});
