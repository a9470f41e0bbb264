/**
 * Images of 4 KiB: what one costs, its p50 beside that of the bare sequence of system calls; and many of them from eight
 * processes at once, with the engine's queues in the first and in the last third of the time.
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { StatusReport } from '../../engine/core/status-report.ts';
import { alternate } from '../alternation.ts';
import { EngineProcess } from '../engine-process.ts';
import type { HostScript } from '../host-program.ts';
import type { Latency, Row } from '../result/schema.ts';
import type { Load, Run, Subject } from '../run-context.ts';
import { accounted, bare, latencies } from '../subjects/programs.ts';
import { fewer } from './fewer.ts';
import { smallImageCounts } from './space.ts';

const imageBytes = 4096;
const {
  perSample,
  warmUp,
  warmUpQuick,
  many: manyImages,
  manyQuick: manyImagesQuick,
  manyAlternations,
} = smallImageCounts;
const processes = 8;
const lookEveryMs = 100;

interface Times {
  readonly done: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly max_us: number;
  readonly total_us: number;
}

/** Of a hundred images there is no p99.9: the longest stands for it. */
function latencyOf({ done, p50_us, p90_us, p99_us, p999_us, max_us }: Times): Latency {
  return { call: 'image', n: done, p50Us: p50_us, p90Us: p90_us, p99Us: p99_us, p999Us: p999_us, maxUs: max_us };
}

// --- one after the other ----------------------------------------------------------------------------------------------

type Bare = Awaited<ReturnType<typeof bare>>;

/** The bare sequence in so many processes at once; `figures`: what counts of it. */
function bareImages(
  run: Run,
  place: string,
  { unit, processes, images }: { unit: 'us' | 'per s'; processes: number; images: number },
  figures: (told: Bare) => { value: number; hostCpu?: number },
): Subject {
  return {
    name: 'floor, the bare sequence',
    role: 'floor',
    mode: null,
    integrity: 'nothing; the fsyncs of a complete image',
    measures: [
      {
        workload: 'small-images',
        unit,
        take: () => {
          mkdirSync(place, { recursive: true });
          return accounted([], async () => {
            const told = await bare(run, 'macro', ['images', place, processes, images]);
            const { seconds, bytes, latency } = told;
            return { seconds, bytes, latency: latencies(latency), ...figures(told) };
          });
        },
      },
    ],
    clean: async () => rmSync(place, { recursive: true, force: true }),
  };
}

function bareOne(run: Run, place: string): Subject {
  return bareImages(run, place, { unit: 'us', processes: 1, images: perSample }, ({ latency }) => ({
    value: latency[0]?.p50_us ?? Number.NaN,
  }));
}

function engineOne(engine: EngineProcess, host: HostScript): Subject {
  let sample = 0;
  return {
    name: 'engine, default',
    role: 'engine',
    mode: 'default',
    integrity: 'sums and SHA-256; durable when it is told as complete',
    measures: [
      {
        workload: 'small-images',
        unit: 'us',
        take: () =>
          accounted([engine.pid], async () => {
            const answer = await host.ok(`images v bench one${++sample}- 0 ${perSample} ${imageBytes} 1`);
            const times = answer as unknown as Times;
            const seconds = times.total_us / 1e6;
            return { value: times.p50_us, seconds, bytes: perSample * imageBytes, latency: [latencyOf(times)] };
          }),
      },
    ],
  };
}

// --- many at once -----------------------------------------------------------------------------------------------------

/** What waits in the engine at one moment: orders for lanes, and jobs for memory. */
function waiting({ pools, memory }: StatusReport): number {
  return pools.reduce((sum, { queued }) => sum + queued, memory.waiting);
}

const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;

/** Means of the first and of the last third, and the most. A queue that grows has more in the last. */
export function thirds(lengths: readonly number[]): Record<string, number> {
  const third = Math.max(1, Math.floor(lengths.length / 3));
  if (lengths.length < 3) return {};
  return {
    'queue.firstThird': mean(lengths.slice(0, third)),
    'queue.lastThird': mean(lengths.slice(-third)),
    'queue.max': Math.max(...lengths),
    'queue.looks': lengths.length,
  };
}

/** Looks at the engine's queues until `work` has ended. A look that fails fails the sample. */
async function queuesDuring(engine: EngineProcess, work: Promise<unknown>): Promise<number[]> {
  const lengths: number[] = [];
  let going = true;
  const ended = work.finally(() => {
    going = false;
  });
  const looks = (async () => {
    while (going) {
      lengths.push(waiting(await engine.status()));
      await Promise.race([ended, new Promise((done) => setTimeout(done, lookEveryMs))]);
    }
  })();
  await Promise.all([ended, looks]);
  return lengths;
}

function bareMany(run: Run, place: string, count: number): Subject {
  return bareImages(run, place, { unit: 'per s', processes, images: count }, ({ seconds, cpu_s }) => ({
    value: count / seconds,
    hostCpu: cpu_s,
  }));
}

function engineMany(engine: EngineProcess, hosts: readonly HostScript[], count: number): Subject {
  let sample = 0;
  const each = count / processes;
  return {
    name: 'engine, default',
    role: 'engine',
    mode: 'default',
    integrity: 'sums and SHA-256; durable when it is told as complete',
    measures: [
      {
        workload: 'small-images',
        unit: 'per s',
        take: () =>
          accounted([engine.pid], async () => {
            sample++;
            const began = process.hrtime.bigint();
            const work = Promise.all(
              hosts.map((host, i) => host.ok(`images v bench many${sample}-${i}- 0 ${each} ${imageBytes} 1`)),
            );
            const counters = thirds(await queuesDuring(engine, work));
            const seconds = Number(process.hrtime.bigint() - began) / 1e9;
            // Percentiles of several processes cannot be merged.
            const times = (await work) as unknown as Times[];
            const worst = times.toSorted((a, b) => b.p99_us - a.p99_us)[0] as Times;
            const latency = [{ ...latencyOf(worst), call: 'image, of the process with the highest p99' }];
            return { value: count / seconds, seconds, bytes: count * imageBytes, latency, counters };
          }),
      },
    ],
  };
}

export async function smallImages(run: Run): Promise<Row[]> {
  const engine = await EngineProcess.start({
    directory: run.place('small-images'),
    mode: 'default',
    streams: processes,
  });
  const hosts: HostScript[] = [];
  try {
    for (let i = 0; i < processes; i++) hosts.push(await engine.script());
    const [first] = hosts as [HostScript, ...HostScript[]];
    await first.ok('create_lsu v bench');
    await first.ok(`images v bench warm- 0 ${run.quick ? warmUpQuick : warmUp} ${imageBytes} 1`);
    const load: Load = { streams: 1, blockBytes: 0, bytesPerStream: perSample * imageBytes };
    const place = `${run.place('small-images-floor')}/images`;
    const one = await alternate(run, [bareOne(run, place), engineOne(engine, first)], load);
    const count = run.quick ? manyImagesQuick : manyImages;
    const many = { streams: processes, blockBytes: 0, bytesPerStream: (count / processes) * imageBytes };
    const subjects = [bareMany(run, place, count), engineMany(engine, hosts, count)];
    return [...one, ...(await alternate(fewer(run, manyAlternations), subjects, many))];
  } finally {
    for (const host of hosts) await host.end();
    await engine.stop();
  }
}
