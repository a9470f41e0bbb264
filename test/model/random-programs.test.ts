/**
 * Random programs against the reference model, on both stores. A failure prints seed and calls; one program again:
 * VAST_OST_PROGRAM=<seed> npm test -- test/model
 */
import { describe, expect, test } from 'vitest';
import { TestEngine } from '../support/engine.ts';
import { seed } from '../support/seed.ts';
import { fileTraits } from './image-model.ts';
import { runPrograms } from './random-program.ts';

const programs = Number(process.env.VAST_OST_PROGRAMS ?? 20);

const engines = {
  'file, sums and checksum': { engine: { store: 'file' } },
  'file, buffered, without checksum': {
    engine: { store: 'file' },
    general: { use_direct_io: false },
    integrity: { checksum: 'none' },
  },
  'file, without sums': { engine: { store: 'file' }, integrity: { sums: false } },
  memory: { engine: { store: 'memory' } },
};

describe.each(Object.entries(engines))('%s', (_, config) => {
  test(`${programs} programs agree with the model`, { timeout: 60_000 + programs * 2000 }, async () => {
    await using engine = await TestEngine.start({ config });
    await using host = await engine.script();
    await runPrograms({ host, traits: fileTraits }, programs, seed);
    expect(engine.bugs()).toEqual([]);
    await host.end();
    await expect.poll(async () => (await engine.status()).handles.open).toBe(0);
  });
});
