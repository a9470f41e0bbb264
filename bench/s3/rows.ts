/** Backups and restores in a bucket: floors, the engine in its modes by http and by https, and other clients. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alternate } from '../alternation.ts';
import type { EngineProcess } from '../engine-process.ts';
import type { Result, Row } from '../result/schema.ts';
import type { ModeName, Run, Subject } from '../run-context.ts';
import { MainPathSubject, modeWords, wanted } from '../subjects/engine.ts';
import { type Buckets, nullBuckets, ownBucket, startS3Engine } from './engine-subject.ts';
import { httpsFloor, httpsFloorName, wireFloor } from './floors.ts';
import { Scratch, workingPeers } from './peers.ts';
import { type NullServer, startNullServer } from './servers.ts';

type Stalls = Result['stalls'];

interface EnginePart {
  readonly name: string;
  readonly role: 'engine' | 'twin';
  readonly mode: ModeName;
  readonly buckets: Buckets;
  readonly tls: boolean;
}

/** Of the floors, in flight for each stream. */
const connections = 6;
const partGuard = 'CRC-64/NVME of each part and the whole object';

function guard({ mode, tls }: EnginePart): string {
  const sums = mode === 'io-only' ? '' : ', sums of blocks';
  return `${partGuard}${sums}${mode === 'default' ? ', SHA-256' : ''}${tls ? ', TLS' : ''}`;
}

/** In each mode, once more in the headline's, and the cheapest mode by https where null servers stand for the bucket. */
function engineParts({ modes }: Run, plain: Buckets, https: Buckets | null, tls: boolean): EnginePart[] {
  const part = (mode: ModeName, role: EnginePart['role'], name: string): EnginePart => {
    return { name: `engine, ${name}`, role, mode, buckets: plain, tls };
  };
  const [headline = 'default'] = modes;
  const cheapest = modes.includes('io-only') ? 'io-only' : headline;
  const words = modeWords[cheapest];
  return [
    ...modes.map((mode) => part(mode, 'engine', modeWords[mode])),
    part(headline, 'twin', `${modeWords[headline]} (A/A)`),
    ...(https === null ? [] : [{ ...part(cheapest, 'engine', `https, ${words}`), buckets: https, tls: true }]),
  ];
}

function readStalls(subject: string, file: string): Stalls[number] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const stalls = lines.map((line) => JSON.parse(line) as { ms: number; ownMs: number });
  return { subject, ...longest(stalls.map(({ ms }) => ms)), own: longest(stalls.map(({ ownMs }) => ownMs)) };
}

function longest(stalls: readonly number[]): { maxMs: number; over30Ms: number } {
  return { maxMs: Math.max(0, ...stalls), over30Ms: stalls.filter((ms) => ms > 30).length };
}

/** What stands beside the engines, by block size the same. */
interface Beside {
  readonly floors: readonly Subject[];
  readonly peers: readonly Subject[];
}

async function atBlock(run: Run, blockBytes: number, parts: readonly EnginePart[], beside: Beside): Promise<Row[]> {
  const engines: EngineProcess[] = [];
  const stalls: { name: string; file: string }[] = [];
  const rows: Row[] = [];
  try {
    const own: Subject[] = [];
    for (const [i, part] of parts.entries()) {
      const directory = run.place(`engine-${blockBytes >> 20}-${i}`);
      const stallFile = join(directory, 'stalls');
      const engine = await startS3Engine(run, {
        directory,
        mode: part.mode,
        blockBytes,
        buckets: part.buckets,
        stallFile,
      });
      engines.push(engine);
      stalls.push({ name: part.name, file: stallFile });
      const { servers } = part.buckets;
      const floor = part.tls ? { floor: httpsFloorName(connections) } : {};
      own.push(new MainPathSubject(run, { ...part, ...floor, integrity: guard(part), engine, servers }));
    }
    for (const streams of run.streams) {
      const load = { streams, blockBytes, bytesPerStream: run.bytesPerStream(streams) };
      rows.push(...(await alternate(run, wanted(run, [...beside.floors, ...own, ...beside.peers]), load)));
    }
    return rows;
  } finally {
    for (const engine of engines) await engine.stop();
    run.keepStalls(stalls.map(({ name, file }) => readStalls(name, file)));
  }
}

/** A bucket of the user's own has no floor: what its network and service could carry is not known. */
async function onBucket(run: Run, buckets: Buckets, tls: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (const blockBytes of run.blocks) {
    rows.push(...(await atBlock(run, blockBytes, engineParts(run, buckets, null, tls), { floors: [], peers: [] })));
  }
  return rows;
}

async function onNullServers(run: Run, discards: NullServer, keeps: NullServer): Promise<Row[]> {
  const scratch = new Scratch();
  try {
    const others = await workingPeers(run, scratch, discards, keeps);
    if (others.missing.length > 0) run.note(`left out: ${others.missing.join(', ')}`);
    const floors = [
      wireFloor(run, discards, 1),
      wireFloor(run, discards, connections),
      httpsFloor(run, discards, keeps, connections),
    ];
    const parts = engineParts(run, nullBuckets(discards, keeps, false), nullBuckets(discards, keeps, true), false);
    const rows: Row[] = [];
    for (const blockBytes of run.blocks) {
      rows.push(...(await atBlock(run, blockBytes, parts, { floors, peers: others.subjects })));
    }
    return rows;
  } finally {
    scratch.remove();
  }
}

export async function s3Rows(run: Run): Promise<Row[]> {
  if (run.bucket !== null) return onBucket(run, ownBucket(run.bucket), run.bucket.endpoint.startsWith('https:'));
  const discards = await startNullServer({ keep: false });
  try {
    const keeps = await startNullServer({ keep: true });
    try {
      return await onNullServers(run, discards, keeps);
    } finally {
      keeps.stop();
    }
  } finally {
    discards.stop();
  }
}
