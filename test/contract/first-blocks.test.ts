/** A writer's first blocks are short where they become files, so that storage has something to do early; parts are whole. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { frame } from '../../engine/core/wire.ts';
import { startS3Engine } from '../s3/engine-kit.ts';
import { S3Server } from '../s3/server/server.ts';
import { TestEngine } from '../support/engine.ts';
import { gen, HostScript } from '../support/host-program.ts';
import { values, WireClient } from '../support/wire-client.ts';

const mib = 1 << 20;

/** What an engine says of the first block of a new image. */
async function firstBytes(engine: TestEngine, server: string): Promise<{ slotBytes: number; firstBytes: number }> {
  await using host = new HostScript();
  await host.ok(`init ${engine.config}`);
  await host.ok('session s job');
  await host.ok(`open_server s v ${server}`);
  await host.ok('create_lsu v lsu');
  await using client = await WireClient.connect(engine.socket);
  expect((await client.hello({ server })).status).toBe(0);
  expect((await client.create('lsu', 'first', 1)).status).toBe(0);
  const bytes = await client.next(frame.arena);
  if (bytes === null) throw new Error('no arena came');
  const { slot_bytes, first_bytes } = values('arena', bytes);
  return { slotBytes: slot_bytes, firstBytes: first_bytes };
}

test('short first blocks of a file are its bytes, whatever cuts them', async () => {
  await using engine = await TestEngine.start({
    config: { general: { block_size_mb: 16 }, performance: { read_ahead_mb: 32 } },
  });
  expect(await firstBytes(engine, 'VastData:other')).toEqual({ slotBytes: 16 * mib, firstBytes: 4 * mib });
  await using host = await engine.script();
  await host.ok('create_lsu v whole');
  // The blocks: 4, 8, 16 and the rest; and the same with sectors that two of them share.
  for (const [date, pieces] of [[29 * mib + 512], [1536, 2 * mib, 512, 9 * mib, 7 * mib + 1024]].entries()) {
    await host.ok(`create_image v i whole image ${date + 1}`);
    let at = 0;
    for (const length of pieces) {
      await host.ok(`write i ${at} ${length} 5`);
      if (length === 512) await host.ok('flush i');
      at += length;
    }
    await host.ok('close i complete');
    const data = readFileSync(join(engine.store, `whole/image~${date + 1}/image.data`));
    expect(data.equals(gen(5, 0, at))).toBe(true);
    await host.ok(`open_image v r whole image ${date + 1} read`);
    // In order, so that it is read ahead, with pieces that get smaller in front of the end.
    for (let from = 0; from < at; from += 5 * mib) {
      const got = Math.min(5 * mib, at - from);
      expect(await host.ok(`read r ${from} ${5 * mib} expect=5`)).toMatchObject({ got, match: true });
    }
    await host.ok('close r incomplete');
  }
  expect(engine.bugs()).toEqual([]);
});

test('parts of a bucket are made of whole blocks', async () => {
  await using server = await S3Server.start();
  await using bucket = await startS3Engine({ server, endpoints: server.url });
  expect(await firstBytes(bucket, 'VastData:s3')).toEqual({ slotBytes: 8 * mib, firstBytes: 0 });
});
