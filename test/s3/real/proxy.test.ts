/** Engine, faulty proxy, real S3 servers: a rain of faults, flipped bits, and a resume counted at the proxy. */
import { describe, expect, test } from 'vitest';
import { seed } from '../../support/seed.ts';
import { s3Script } from '../engine-kit.ts';
import type { ProxyAction } from '../proxy/fault-data.ts';
import { backup, mib, restore, startProxied, summaries } from '../proxy-kit.ts';
import { rainOver } from '../rain-run.ts';
import { resumeOver } from '../resume-run.ts';
import type { FaultMatch } from '../server/fault-data.ts';
import { isBuilt, type RealKind, RealServer, realKinds } from './real-server.ts';

const images = Number(process.env.VAST_OST_S3_RAIN ?? 4);
const size = 18 * mib + 512;

describe.each(realKinds)('%s', (kind: RealKind) => {
  const built = test.skipIf(!isBuilt(kind));

  built(
    `a rain of faults over ${images} images a stream (seed ${seed})`,
    { timeout: 120_000 + images * 60_000 },
    async () => {
      await using server = await RealServer.start({ kind });
      const { problems, kinds } = await rainOver(server, { seed, images, retryS: 120 });
      expect(problems).toEqual([]);
      expect(kinds.length).toBeGreaterThan(7);
    },
  );

  built('a bit that flips on its way up is refused, one that flips on its way down is read again', async () => {
    await using server = await RealServer.start({ kind });
    await using run = await startProxied(server);
    await using host = await s3Script(run.engine);
    await host.ok('create_lsu v lsu');
    const flip = (side: 'in' | 'out'): ProxyAction => ({ do: 'flip', side, offset: 40, bit: 6 });
    const up: [FaultMatch, number, number][] = [
      [{ op: 'UploadPart', part: 2, count: 1 }, size, 1],
      [{ op: 'PutObject', key: '*.data', count: 1 }, 3 * mib + 512, 1],
      [{ op: 'PutObject', key: '*.sums', count: 1 }, size, 0],
    ];
    for (const [i, [match, bytes, retries]] of up.entries()) {
      const fault = run.proxy.faults.add({ match, action: flip('in') });
      run.proxy.clearLog();
      await backup(host, `image${i}`, bytes);
      const hit = run.proxy.requests.filter((one) => one.fault === 'flip');
      expect([fault.hits, hit.map(({ status }) => status)]).toEqual([1, [400]]);
      const [line] = (await summaries(run.engine, 'image written', i + 1)).slice(-1);
      expect(line).toMatchObject(retries > 0 ? { retries } : {});
      run.proxy.faults.remove(fault);
      expect(await restore(host, `image${i}`, bytes)).toBe('');
    }
    for (const key of ['*.data', '*.sums', '*.meta']) {
      const fault = run.proxy.faults.add({
        match: { op: 'GetObject', key, count: 1 },
        action: { ...flip('out'), offset: 3 } as ProxyAction,
      });
      expect(await restore(host, 'image0', size), key).toBe('');
      expect(fault.hits).toBe(1);
      run.proxy.faults.remove(fault);
    }
    expect(run.engine.bugs()).toEqual([]);
  });

  built('a resume after a kill sends what was not durable, and the slots at most once more', async () => {
    await using server = await RealServer.start({ kind });
    const { problems } = await resumeOver(server);
    expect(problems).toEqual([]);
  });
});
