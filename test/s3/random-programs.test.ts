/**
 * Random programs against the reference model, with the images in a bucket and an engine that is killed at times. A
 * failure prints seed and calls; one program again: VAST_OST_PROGRAM=<seed> npm test -- test/s3/random-programs. More of
 * them: VAST_OST_S3_PROGRAMS.
 */
import { expect, test } from 'vitest';
import { bucketTraits } from '../model/image-model.ts';
import { type Caller, runPrograms } from '../model/random-program.ts';
import { seed } from '../support/seed.ts';
import { s3Script, startS3Engine } from './engine-kit.ts';
import { S3Server } from './server/server.ts';

const programs = Number(process.env.VAST_OST_S3_PROGRAMS ?? 2);

test.each([
  ['with conditional puts and CRC-64', { mode: 'aws-like' as const }],
  ['as VAST may be', { mode: 'vast-like' as const, conditionalPut: 'ignore' as const }],
])(
  `${programs} programs agree with the model in a bucket %s`,
  { timeout: 60_000 + programs * 4000 },
  async (_, options) => {
    await using server = await S3Server.start(options);
    // Few slots of small parts: images of the programs' lengths have several of both, and become durable on their way.
    await using engine = await startS3Engine({
      server,
      endpoints: server.url,
      keys: { part_size_mb: 8, parts_in_flight: 1 },
    });
    let kills = 0;
    const caller: Caller = {
      host: await s3Script(engine),
      traits: bucketTraits,
      async restart() {
        kills++;
        await engine.kill();
        await caller.host.end();
        await engine.launch();
        return s3Script(engine);
      },
    };
    await using stack = new AsyncDisposableStack();
    stack.defer(() => caller.host[Symbol.asyncDispose]());
    await runPrograms(caller, programs, seed);
    console.log(`${programs} programs from seed ${seed}, ${kills} kills of the engine`);
    expect(engine.bugs()).toEqual([]);
    await caller.host.end();
    await expect.poll(async () => (await engine.status()).handles.open).toBe(0);
    // All images were deleted at the end of their program.
    expect(server.keys().filter((key) => /^l[0-9]+\/[^.]/.test(key))).toEqual([]);
    expect(server.uploads()).toEqual([]);
  },
);
