/** Copies of an image inside the store, by the method that the engine picks, beside the bare calls and beside cp. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { alternate } from '../alternation.ts';
import { EngineProcess } from '../engine-process.ts';
import { dataArguments, type HostScript, hostRun } from '../host-program.ts';
import type { Row } from '../result/schema.ts';
import type { Load, ModeName, Run, Subject } from '../run-context.ts';
import { accounted, bare, forgetFiles, runProgram } from '../subjects/programs.ts';
import { copyBytes } from './space.ts';
import { emptyTrash } from './trash.ts';

const lsu = ['--lsu', 'bench'];

/** FICLONE where the file system has it, else copy_file_range, and the fsyncs of a complete image. */
function floorSubject(run: Run, source: string, place: string, method: string): Subject {
  const target = join(place, 'copy');
  return {
    name: `floor, ${method}`,
    role: 'floor',
    mode: null,
    integrity: 'nothing; fsyncs of a complete image',
    measures: [
      {
        workload: 'copy',
        unit: 's',
        take: async () => {
          await forgetFiles(run, [join(source, 'image.data')]);
          return accounted([], async () => {
            const { bytes, seconds, cpu_s } = await bare(run, 'macro', ['copy', source, target]);
            return { value: seconds, seconds, bytes, hostCpu: cpu_s };
          });
        },
      },
    ],
    clean: async () => rmSync(target, { recursive: true, force: true }),
  };
}

function cpSubject(run: Run, source: string, place: string): Subject {
  const [from, to] = [join(source, 'image.data'), join(place, 'cp')];
  return {
    name: 'cp --reflink=auto, then sync',
    role: 'peer',
    mode: null,
    integrity: 'nothing; one fsync of the file',
    measures: [
      {
        workload: 'copy',
        unit: 's',
        take: async ({ bytesPerStream: bytes }) => {
          await forgetFiles(run, [from]);
          return accounted([], async () => {
            const began = process.hrtime.bigint();
            await runProgram(run.signal, 'sh', ['-c', 'cp --reflink=auto "$1" "$2" && sync "$2"', 'sh', from, to]);
            const seconds = Number(process.hrtime.bigint() - began) / 1e9;
            return { value: seconds, seconds, bytes };
          });
        },
      },
    ],
    clean: async () => rmSync(to, { force: true }),
  };
}

interface Copier {
  readonly engine: EngineProcess;
  readonly host: HostScript;
  readonly mode: ModeName;
  readonly method: string;
}

function engineSubject(run: Run, { engine, host, mode, method }: Copier): Subject {
  let made = 1;
  return {
    name: `engine, ${mode}`,
    role: 'engine',
    mode,
    integrity: `method ${method}; the copy has the sums and checksum of the image`,
    measures: [
      {
        workload: 'copy',
        unit: 's',
        take: async ({ bytesPerStream: bytes }) => {
          await forgetFiles(run, [join(engine.store, 'bench/source~1/image.data')]);
          return accounted([engine.pid], async () => {
            const answer = await host.ok(`repeat 1 copy v bench copy ${++made} bench source 1`);
            const seconds = Number(answer.total_us) / 1e6;
            return { value: seconds, seconds, bytes };
          });
        },
      },
    ],
    clean: async () => {
      await host.ok(`delete v bench copy ${made}`);
      emptyTrash(join(engine.store, 'bench/.trash'));
    },
  };
}

async function startCopier(run: Run, mode: ModeName, bytes: number): Promise<Copier> {
  const engine = await EngineProcess.start({ directory: run.place(`copy-${mode}`), mode, settings: run.settings });
  try {
    const backup = ['backup', ...lsu, '--image', 'source', '--date', 1, '--create-lsu', '--generate', bytes];
    await hostRun(engine, [...backup, ...dataArguments(run.data)], run.signal);
    const host = await engine.script();
    const { method } = await host.ok('copy v bench copy 1 bench source 1');
    await host.ok('delete v bench copy 1');
    return { engine, host, mode, method: String(method) };
  } catch (error) {
    await engine.kill();
    throw error;
  }
}

export async function copies(run: Run): Promise<Row[]> {
  const bytes = copyBytes(run.quick);
  const load: Load = { streams: 1, blockBytes: 0, bytesPerStream: bytes };
  const copiers: Copier[] = [];
  try {
    run.progress({ what: 'copy: writing what is copied' });
    const place = run.place('copy-floor');
    const source = join(place, 'floor-0');
    await bare(run, 'floor', ['write', place, 1, bytes, 2]);
    const { method } = await bare(run, 'macro', ['copy', source, join(place, 'copy')]);
    rmSync(join(place, 'copy'), { recursive: true });
    const subjects = [floorSubject(run, source, place, method), cpSubject(run, source, place)];
    for (const mode of run.modes) {
      run.check();
      const copier = await startCopier(run, mode, bytes);
      copiers.push(copier);
      subjects.push(engineSubject(run, copier));
    }
    return await alternate(run, subjects, load);
  } finally {
    for (const { host, engine } of copiers) {
      await host.end();
      await engine.stop();
    }
  }
}
