/** Images that two engines leave behind unfinished, one after the other, for a third to go on with. */
import { expect } from 'vitest';
import type { TestEngine } from '../support/engine.ts';
import { s3Script } from './engine-kit.ts';
import { begin, durableOf, mib, seed } from './fragments-kit.ts';

export interface LeftTwice {
  /** An LSU of its own; the image in it is 'image', date 7. */
  readonly lsu: string;
  /** Bytes flushed when the first engine is killed, with others written behind them. */
  readonly first: number;
  /** Bytes when the second one is stopped, behind an incomplete close. */
  readonly second: number;
}

/** The engine runs again when it resolves. Returns what the second life found durable, by LSU. */
export async function leaveTwice(engine: TestEngine, images: readonly LeftTwice[]): Promise<Map<string, number>> {
  {
    await using hosts = new AsyncDisposableStack();
    for (const { lsu, first } of images) {
      const host = hosts.use(await s3Script(engine));
      await begin(host, lsu, first);
      await host.ok('flush i');
      await host.ok(`write i ${first} ${9 * mib} 6`);
    }
    await engine.kill();
  }
  await engine.launch();
  const resumed = new Map<string, number>();
  {
    await using host = await s3Script(engine);
    for (const { lsu, first, second } of images) {
      await host.ok(`open_image v i ${lsu} image 7 2`);
      resumed.set(lsu, await durableOf(host));
      await host.ok(`write i ${first} ${second - first} ${seed}`);
      await host.ok('close i 0');
    }
    expect(await engine.stop()).toBe(0);
  }
  await engine.launch();
  return resumed;
}
