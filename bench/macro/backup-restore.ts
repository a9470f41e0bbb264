/** Backups and restores on a file store: floors, the plain plug-in, other programs, and the engine in its modes. */
import { spawnSync } from 'node:child_process';
import { alternate } from '../alternation.ts';
import { EngineProcess } from '../engine-process.ts';
import type { Row } from '../result/schema.ts';
import type { Load, Run, Subject } from '../run-context.ts';
import { fileGuards, MainPathSubject, modeWords, wanted } from '../subjects/engine.ts';
import { filePeers } from '../subjects/file-peers.ts';
import { fioSubjects } from '../subjects/fio.ts';
import { copyFloorSubject, floorSubject, plainSubject } from '../subjects/floors.ts';

const floorDepths = [1, 2, 3];

/** The same engine twice in the headline's mode: what differs between the two is the error of the method. */
async function startEngines(run: Run, blockBytes: number, started: EngineProcess[]): Promise<Subject[]> {
  const paths = [
    ...run.modes.map((mode) => ({ name: `engine, ${modeWords[mode]}`, role: 'engine' as const, mode })),
    ...run.modes.slice(0, 1).map((mode) => {
      return { name: `engine, ${modeWords[mode]} (A/A)`, role: 'twin' as const, mode };
    }),
  ];
  const subjects: Subject[] = [];
  for (const [i, path] of paths.entries()) {
    const engine = await EngineProcess.start({
      directory: run.place(`engine-${blockBytes >> 20}-${i}`),
      mode: path.mode,
      blockBytes,
      streams: Math.max(...run.streams),
      settings: run.settings,
    });
    started.push(engine);
    subjects.push(new MainPathSubject(run, { ...path, integrity: fileGuards[path.mode], engine }));
  }
  return subjects;
}

async function atLoad(run: Run, load: Load, engines: readonly Subject[]): Promise<Row[]> {
  const place = (name: string): string => run.place(`${name}-${load.blockBytes >> 20}-${load.streams}`);
  const wantsFio = run.peers.includes('fio');
  const hasFio = wantsFio && spawnSync('fio', ['--version']).status === 0;
  const fio = hasFio ? await fioSubjects(run, place, load) : [];
  const peers = filePeers(run, place, load);
  const skipped = [...(wantsFio && !hasFio ? ['fio (not installed)'] : []), ...peers.skipped];
  if (skipped.length > 0) run.note(`left out: ${skipped.join(', ')}`);
  try {
    const subjects = [
      ...floorDepths.map((depth) => floorSubject(run, place(`floor-${depth}`), depth)),
      ...floorDepths.map((depth) => copyFloorSubject(run, place(`copy-floor-${depth}`), depth)),
      ...fio,
      plainSubject(run, place('plain')),
      ...engines,
      ...peers.subjects,
    ];
    return await alternate(run, wanted(run, subjects), load);
  } finally {
    peers.remove();
  }
}

export async function backupRestore(run: Run): Promise<Row[]> {
  const rows: Row[] = [];
  for (const blockBytes of run.blocks) {
    const engines: EngineProcess[] = [];
    try {
      const subjects = await startEngines(run, blockBytes, engines);
      for (const streams of run.streams) {
        const load = { streams, blockBytes, bytesPerStream: run.bytesPerStream(streams) };
        rows.push(...(await atLoad(run, load, subjects)));
      }
    } finally {
      for (const engine of engines) await engine.stop();
    }
  }
  return rows;
}
