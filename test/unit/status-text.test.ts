/** STATUS in one frame, however much there is to tell. */
import { expect, it } from 'vitest';
import { bestBytesMin, FinishedJobs, finishedMax } from '../../engine/coordinator/finished-jobs.ts';
import { statusText } from '../../engine/coordinator/status-report.ts';
import { type FinishedJob, sharesSchema } from '../../engine/core/shares.ts';
import type { StatusReport } from '../../engine/core/status-report.ts';
import { layouts, wire } from '../../engine/core/wire.ts';

const shares = sharesSchema.parse({
  hostProgram: 0.5,
  copy: 0.2,
  slotWait: { memory: 0, queue: 0, ring: 0.1, digest: 0, device: 0.1, commit: 0.1 },
  other: 0,
});

function job(number: number, characters: number): FinishedJob {
  const limit = {
    finding: 'slots',
    setting: 'write_buffer_count',
    change: 'c'.repeat(characters),
    because: '',
  } as const;
  const image = `lsu/image~${number}`;
  return {
    job: 'j',
    server: 's',
    image,
    mode: 'write',
    endedAt: '',
    seconds: 1,
    bytes: 1,
    shares,
    accounted: 1,
    limit,
  };
}

function report(finished: readonly FinishedJob[]): StatusReport {
  return {
    engine: { version: '', pid: 1, instance: '', startedAt: '', draining: false },
    memory: { budgetBytes: 0, usedBytes: 0, keptArenas: 0, keptBytes: 0, waiting: 0 },
    handles: { open: 0, max: 1 },
    jobs: [],
    finished: [...finished],
    servers: [],
    mounts: [],
    pools: [],
    log: { dropped: 0, failure: null },
  };
}

it('remembers the fastest long job of each storage in each direction', () => {
  const jobs = new FinishedJobs();
  const add = (over: Partial<FinishedJob>, root = '/mnt'): void =>
    jobs.add({ ...job(1, 10), mode: 'write', bytes: bestBytesMin, seconds: 2, ...over }, root);
  const best = (mode: FinishedJob['mode'], root = '/mnt'): unknown => jobs.best({ ...job(1, 10), mode }, root);
  expect(best('write')).toBeNull();
  add({ bytes: bestBytesMin - 1, seconds: 0.1 });
  add({ mode: 'copy', seconds: 0.1 });
  expect(best('write')).toBeNull();
  add({ endedAt: '2026-01-01T00:00:00Z' });
  add({ endedAt: '2026-01-02T00:00:00Z', seconds: 4 });
  const first = { bytesPerSecond: bestBytesMin / 2, at: '2026-01-01T00:00:00Z' };
  expect(best('write')).toEqual(first);
  expect([best('read'), best('write', '/other')]).toEqual([null, null]);
  add({ endedAt: '2026-01-03T00:00:00Z', seconds: 1 });
  expect(best('write')).toEqual({ bytesPerSecond: bestBytesMin, at: '2026-01-03T00:00:00Z' });
  for (let i = 0; i < 2000; i++) add({}, `/mnt/${i}`);
  expect(best('write', '/mnt/100')).toMatchObject({ bytesPerSecond: bestBytesMin / 2 });
  expect(best('write', '/mnt/1999')).toBeNull();
});

it('keeps the last jobs, and of these as many as fit a frame', () => {
  const jobs = new FinishedJobs();
  for (let i = 0; i < finishedMax + 10; i++) jobs.add(job(i, 10), '/mnt');
  expect(jobs.latest.map(({ image }) => image).at(0)).toBe(`lsu/image~${finishedMax + 9}`);
  expect(jobs.latest).toHaveLength(finishedMax);
  const told = (all: readonly FinishedJob[]): FinishedJob[] => {
    const text = statusText(report(all));
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(wire.frameMax - layouts.reply.size);
    return (JSON.parse(text) as StatusReport).finished;
  };
  expect(told(jobs.latest)).toEqual(jobs.latest);
  const long = Array.from({ length: finishedMax }, (_, i) => job(i, 4000));
  const some = told(long);
  expect(some.length).toBeGreaterThan(8);
  expect(some).toEqual(long.slice(0, some.length));
});
