/** Random reads of one length through the plug-in, beside bare O_DIRECT preads at the same places of files of the same size. */
import { alternate } from '../alternation.ts';
import { EngineProcess } from '../engine-process.ts';
import { dataArguments, hostRun, hostSample } from '../host-program.ts';
import type { Row } from '../result/schema.ts';
import type { Load, ModeName, Run, Subject, Taken } from '../run-context.ts';
import { bare, bareSample } from '../subjects/programs.ts';
import { randomReadBytes } from './space.ts';

const kib = 1024;
const mib = 1 << 20;
const image = ['--lsu', 'bench', '--image', 'r', '--date', '1'];
const seed = 7;

interface Plan {
  readonly sizes: readonly number[];
  readonly imageBytes: number;
  reads(bytes: number): number;
}

function planOf(run: Run): Plan {
  if (run.quick) return { sizes: [4 * kib, mib], imageBytes: randomReadBytes(run.quick), reads: () => 100 };
  return {
    sizes: [4 * kib, 16 * kib, 64 * kib, 256 * kib, mib],
    imageBytes: randomReadBytes(run.quick),
    reads: (bytes) => (bytes <= 64 * kib ? 2000 : 400),
  };
}

/** Reads a second; the rate in bytes is that times their length. */
function asReads(taken: Taken, bytes: number): Taken {
  return { ...taken, value: taken.bytes / bytes / taken.seconds };
}

function floorSubject(run: Run, directory: string, reads: (bytes: number) => number): Subject {
  return {
    name: 'floor, pread',
    role: 'floor',
    mode: null,
    integrity: 'nothing; O_DIRECT',
    measures: [
      {
        workload: 'random-read',
        unit: 'per s',
        take: async ({ streams, blockBytes }) => {
          const args = ['reads', directory, streams, blockBytes, reads(blockBytes), seed];
          return asReads(await bareSample(run, 'macro', args), blockBytes);
        },
      },
    ],
  };
}

function engineSubject(run: Run, engine: EngineProcess, mode: ModeName, reads: (bytes: number) => number): Subject {
  return {
    name: `engine, ${mode}`,
    role: 'engine',
    mode,
    integrity: mode === 'io-only' ? 'nothing; O_DIRECT' : 'CRC-64 of every block that is read',
    measures: [
      {
        workload: 'random-read',
        unit: 'per s',
        take: async ({ streams, blockBytes }) => {
          const places = ['--random-reads', reads(blockBytes), '--read-bytes', blockBytes, '--seed', seed];
          const args = [...image, '--discard', '--streams', streams, ...places];
          return asReads(await hostSample(engine, ['restore', ...args], run.signal), blockBytes);
        },
      },
    ],
  };
}

export async function randomReads(run: Run): Promise<Row[]> {
  const { sizes, imageBytes, reads } = planOf(run);
  const streamCounts = [...new Set([run.streams.at(0) ?? 1, run.streams.at(-1) ?? 1])];
  const most = Math.max(...streamCounts);
  const rows: Row[] = [];
  const engines: EngineProcess[] = [];
  try {
    const directory = run.place('random-read-floor');
    run.progress({ what: 'random-read: writing what is read' });
    await bare(run, 'floor', ['write', directory, most, imageBytes, 2]);
    const subjects: Subject[] = [floorSubject(run, directory, reads)];
    for (const mode of run.modes) {
      run.check();
      const engine = await EngineProcess.start({
        directory: run.place(`random-read-${mode}`),
        mode,
        streams: most,
        settings: run.settings,
      });
      engines.push(engine);
      const backup = ['backup', ...image, '--create-lsu', '--generate', imageBytes, '--streams', most];
      await hostRun(engine, [...backup, ...dataArguments(run.data)], run.signal);
      subjects.push(engineSubject(run, engine, mode, reads));
    }
    for (const streams of streamCounts) {
      for (const blockBytes of sizes) {
        const load: Load = { streams, blockBytes, bytesPerStream: imageBytes };
        rows.push(...(await alternate(run, subjects, load)));
      }
    }
  } finally {
    for (const engine of engines) await engine.stop();
  }
  return rows;
}
