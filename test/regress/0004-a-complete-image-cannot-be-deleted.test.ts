/**
 * An engine that died between the rename of the complete meta and the removal of its claim left a claim that only its own
 * machine could judge: from every other media server the complete image could not be deleted.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeClaim } from '../../engine/image/claim.ts';
import { TestEngine } from '../support/engine.ts';

const elsewhere = encodeClaim({
  token: 'a'.repeat(32),
  machineId: 'b'.repeat(32),
  bootId: 'c'.repeat(32),
  pidNamespace: 1,
  pid: 1,
  startTime: 1,
});

test('a claim of another machine holds a pending image, and no complete one', async () => {
  await using engine = await TestEngine.start();
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  for (const name of ['complete', 'pending']) {
    await host.ok(`create_image v i lsu ${name} 7`);
    await host.ok('write i 0 4096 5');
    await host.ok(`close i ${name}`.replace('pending', 'incomplete'));
    writeFileSync(join(engine.store, `lsu/${name}~7/claim.1`), elsewhere);
  }
  await host.ok('delete v lsu complete 7');
  expect(await host.call('delete v lsu pending 7')).toMatchObject({ name: 'STS_EBUSY' });
  expect(engine.bugs()).toEqual([]);
});
