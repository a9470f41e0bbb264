/** Images in several objects whose engine is killed or stopped: another one goes on with them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { s3Script } from './engine-kit.ts';
import {
  begin,
  dirIn,
  durableOf,
  expectRead,
  expectStored,
  fullBytes,
  mib,
  partMib,
  seed,
  startEngine,
  startServer,
  uploadsBelow,
} from './fragments-kit.ts';
import { leaveTwice } from './resume-kit.ts';
import type { S3Server } from './server/server.ts';

describe('an image is continued by another engine, twice, when it was flushed', () => {
  const rows = [
    { where: 'at the end of the first fragment', first: fullBytes },
    { where: 'with a tail that is all of the second', first: fullBytes + 2 * mib + 512 },
    { where: 'in the second, behind a part', first: fullBytes + 7 * mib },
    { where: 'in the third', first: 2 * fullBytes + 6 * mib + 512 },
  ].map((row, i) => ({ ...row, lsu: `lsu${i}`, second: row.first + 11 * mib + 1024 }));
  const held = new AsyncDisposableStack();
  let server!: S3Server;
  let engine!: TestEngine;
  /** What the second engine found, by LSU. */
  let resumed!: Map<string, number>;

  // The same three engines for all of them: the first is killed, the second stopped.
  beforeAll(async () => {
    server = held.use(await startServer());
    engine = held.use(await startEngine(server));
    resumed = await leaveTwice(engine, rows);
  });
  afterAll(() => held.disposeAsync());

  test.each(rows)('$where', async ({ lsu, first, second }) => {
    expect(resumed.get(lsu)).toBe(first);
    await using host = await s3Script(engine);
    await host.ok(`open_image v i ${lsu} image 7 2`);
    expect(await durableOf(host)).toBe(second);
    await host.ok(`write i ${second} ${partMib * mib} ${seed}`);
    await host.ok('close i 1');
    const size = second + partMib * mib;
    expectStored(server, lsu, size);
    await expectRead(host, lsu, size);
    expect(engine.bugs()).toEqual([]);
  });
});

describe('killed in the commit with every object made: pending, and continued, with what was promised', () => {
  const size = 2 * fullBytes + 6 * mib;
  const rows = [
    { what: 'nothing', promised: 0 },
    { what: 'some of the first fragment', promised: 6 * mib + 512 },
    { what: 'some of the second fragment', promised: fullBytes + 8 * mib + 512 },
    { what: 'all', promised: size },
  ].map((row, i) => ({ ...row, lsu: `lsu${i}` }));
  const names = ['image.data', 'image.data.0002', 'image.data.0003'];
  const held = new AsyncDisposableStack();
  let server!: S3Server;
  let engine!: TestEngine;
  /** Before the kill, by LSU. */
  const durable = new Map<string, number>();

  beforeAll(async () => {
    server = held.use(await startServer());
    engine = held.use(await startEngine(server));
    await using hosts = new AsyncDisposableStack();
    const closing: Promise<unknown>[] = [];
    for (const { lsu, promised } of rows) {
      const host = hosts.use(await s3Script(engine));
      await begin(host, lsu, promised);
      if (promised > 0) await host.ok('flush i');
      if (size > promised) await host.ok(`write i ${promised} ${size - promised} ${seed}`);
      durable.set(lsu, await durableOf(host));
      // Only a commit puts the sums as a whole, and its meta comes behind them.
      const stall = server.faults.add({
        match: { op: 'PutObject', key: `${dirIn(lsu)}image.sums` },
        action: { do: 'stall', at: 'start' },
      });
      closing.push(host.call('close i 1').catch(() => null));
      await stall.stalled();
      await until(
        () => names.every((name) => server.has(dirIn(lsu) + name)) && uploadsBelow(server, `${lsu}/`).length === 0,
      );
    }
    await engine.kill();
    server.faults.clear();
    await Promise.all(closing);
    await engine.launch();
  });
  afterAll(() => held.disposeAsync());

  test.each(rows)('$what', async ({ lsu }) => {
    await using host = await s3Script(engine);
    expect(await host.ok(`prop_byname v ${lsu} image 7`)).toMatchObject({ state: 'pending' });
    await host.ok(`open_image v i ${lsu} image 7 2`);
    const again = await durableOf(host);
    expect(again).toBeGreaterThanOrEqual(durable.get(lsu) as number);
    if (again < size) await host.ok(`write i ${again} ${size - again} ${seed}`);
    await host.ok('close i 1');
    expectStored(server, lsu, size);
    await expectRead(host, lsu, size);
    expect(engine.bugs()).toEqual([]);
  });
});

test('a resume that comes to less than the dead writer had leaves nothing of what was above', async () => {
  await using server = await startServer();
  await using engine = await startEngine(server);
  const first = 4 * mib + 512;
  const dir = dirIn('lsu');
  {
    await using host = await s3Script(engine);
    await begin(host, 'lsu', first);
    await host.ok('flush i');
    const held = server.faults.add({
      match: { op: 'PutObject', key: `${dir}image.meta` },
      action: { do: 'stall', at: 'start' },
    });
    const writing = host.call(`write i ${first} ${2 * fullBytes} 6`).catch(() => null);
    await held.stalled();
    await until(() => server.uploads().length === 2);
    await engine.kill();
    server.faults.clear();
    await writing;
  }
  for (const n of ['0002', '0003']) server.plant(`${dir}image.data.${n}`, Buffer.alloc(99));
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  expect(await durableOf(host)).toBe(first);
  await host.ok('close i 1');
  expectStored(server, 'lsu', first);
});
