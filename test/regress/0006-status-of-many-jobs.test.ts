/** With many jobs of long names the status did not fit a frame: the engine met a bug, and status failed when it was needed. */
import { expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { WireClient } from '../support/wire-client.ts';

const jobs = 40;

test('status answers with as many jobs as fit, and counts all', async () => {
  // One slot each: nobody waits for memory.
  await using engine = await TestEngine.start({ config: { performance: { write_buffer_count: 1 } } });
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await using clients = new AsyncDisposableStack();
  for (let i = 0; i < jobs; i++) {
    const client = clients.use(await WireClient.greeted(engine.socket));
    expect((await client.create('lsu', `\x01`.repeat(1000) + i, 7)).status).toBe(0);
  }
  const status = await engine.status();
  expect(status.handles.open).toBe(jobs);
  expect(status.jobs.length).toBeGreaterThan(0);
  expect(engine.bugs()).toEqual([]);
});
