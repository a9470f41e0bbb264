/** The file store's part: floors, fio, the plain plug-in, and the engine in its three modes, on one directory. */
import { join } from 'node:path';
import { alternate } from './alternate.ts';
import type { Row } from './result.ts';
import { EngineSubject, fioSubject, floorSubject, modes, plainSubject, type Subject, startEngine } from './subjects.ts';

export async function fileRows(
  directory: string,
  streamCounts: readonly number[],
  rounds: { bytes(streams: number): number; alternations: number },
): Promise<Row[]> {
  const engines = await Promise.all(modes.map((mode, i) => startEngine(join(directory, `engine-${i}`), mode)));
  // The same engine twice: what differs between them is the error of the method.
  const own: Subject[] = engines.map((engine, i) => new EngineSubject(`engine, ${modes[i]?.name}`, engine));
  const again = await startEngine(join(directory, 'engine-aa'), modes[0] as (typeof modes)[number]);
  const fio = fioSubject(join(directory, 'fio'), 'libaio', 2);
  const subjects: Subject[] = [
    ...[1, 2, 3].map((depth) => floorSubject(join(directory, `floor-${depth}`), depth)),
    ...(fio === null ? [] : [fio]),
    plainSubject(join(directory, 'plain')),
    ...own,
    new EngineSubject('engine, I/O only (A/A)', again),
  ];
  const rows: Row[] = [];
  try {
    for (const streams of streamCounts) {
      rows.push(...(await alternate(subjects, { ...rounds, streams, bytes: rounds.bytes(streams) })));
    }
  } finally {
    for (const engine of [...engines, again]) await engine.stop();
  }
  return rows;
}
