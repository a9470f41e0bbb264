/** The S3 part: floors, the engine in its three modes by http and by https, and peers, before null servers. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestEngine } from '../../test/support/engine.ts';
import { alternate } from '../alternate.ts';
import type { Result, Row } from '../result.ts';
import { type Mode, modes, type Subject } from '../subjects.ts';
import { S3EngineSubject, startS3Engine } from './engine-subject.ts';
import { httpsFloor, wireFloor } from './floors.ts';
import { Scratch, workingPeers } from './peers.ts';
import { startNullServer } from './servers.ts';

export interface S3Bench {
  readonly rows: Row[];
  readonly stalls: NonNullable<Result['stalls']>;
  readonly missingPeers: string[];
}

interface Part {
  readonly name: string;
  readonly mode: Mode;
  readonly tls: boolean;
}

const partGuard = 'CRC-64/NVME of each part and the whole object';

function guard({ mode, tls }: Part): string {
  const sums = mode.name === 'I/O only' ? '' : ', sums of blocks';
  return `${partGuard}${sums}${mode.name === 'default' ? ', SHA-256' : ''}${tls ? ', TLS' : ''}`;
}

function engineParts(): Part[] {
  const [cheapest] = modes;
  if (cheapest === undefined) throw new Error('no mode');
  return [
    ...modes.map((mode) => ({ name: `engine, ${mode.name}`, mode, tls: false })),
    { name: 'engine, I/O only (A/A)', mode: cheapest, tls: false },
    { name: 'engine, https, I/O only', mode: cheapest, tls: true },
  ];
}

interface Stalls {
  readonly name: string;
  readonly file: string;
}

function readStalls({ name, file }: Stalls): NonNullable<Result['stalls']>[number] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const stalls = lines.map((line) => JSON.parse(line) as { ms: number; ownMs: number });
  return { name, ...longest(stalls.map(({ ms }) => ms)), own: longest(stalls.map(({ ownMs }) => ownMs)) };
}

function longest(stalls: readonly number[]): { maxMs: number; over30Ms: number } {
  return { maxMs: Math.max(0, ...stalls), over30Ms: stalls.filter((ms) => ms > 30).length };
}

export async function s3Rows(
  directory: string,
  streamCounts: readonly number[],
  rounds: { bytes(streams: number): number; alternations: number; peers: boolean },
): Promise<S3Bench> {
  execFileSync('make', ['-s', '-C', import.meta.dirname], { stdio: 'inherit' });
  const discards = await startNullServer({ keep: false });
  const keeps = await startNullServer({ keep: true });
  const scratch = new Scratch();
  const engines: TestEngine[] = [];
  const files: Stalls[] = [];
  try {
    const own: Subject[] = [];
    for (const [i, part] of engineParts().entries()) {
      const stallFile = join(directory, `stalls-${i}`);
      const options = { directory: join(directory, `engine-${i}`), discards, keeps, stallFile };
      const engine = await startS3Engine({ ...options, mode: part.mode, tls: part.tls });
      engines.push(engine);
      files.push({ name: part.name, file: stallFile });
      own.push(new S3EngineSubject(part.name, guard(part), engine));
    }
    const others = rounds.peers
      ? await workingPeers(scratch, discards, keeps)
      : { subjects: [], missing: ['all (--no-peers)'] };
    const subjects = [
      wireFloor(discards, 1),
      wireFloor(discards, 6),
      ...own,
      httpsFloor(discards, keeps, 6),
      ...others.subjects,
    ];
    const rows: Row[] = [];
    for (const streams of streamCounts) {
      rows.push(...(await alternate(subjects, { ...rounds, streams, bytes: rounds.bytes(streams) })));
    }
    return { rows, stalls: files.map(readStalls), missingPeers: others.missing };
  } finally {
    for (const engine of engines) await engine[Symbol.asyncDispose]();
    scratch.remove();
    discards.stop();
    keeps.stop();
  }
}
