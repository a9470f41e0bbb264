/** The verdict: each bottleneck by the figures of a job that has it, and nobody by those of jobs that have none. */
import { describe, expect, it } from 'vitest';
import { type PartName, partsOf, type Shares } from '../../engine/core/shares.ts';
import { type JobFacts, limitOf, movesMin, secondsMin } from '../../engine/core/verdict.ts';

type Parts = Partial<Record<Exclude<PartName, 'other'>, number>>;

function shares({ hostProgram = 0, copy = 0, ...wait }: Parts): Shares {
  const slotWait = { memory: 0, queue: 0, ring: 0, digest: 0, commit: 0, ...wait };
  const whole = { hostProgram, copy, slotWait, other: 0 };
  return { ...whole, other: 1 - partsOf(whole).reduce((sum, [, part]) => sum + part, 0) };
}

const plain: JobFacts = {
  mode: 'write',
  store: 'file',
  seconds: 10,
  moves: 100,
  idle: 0.02,
  moving: 0.97,
  moveQueue: 0,
  digestQueue: 0,
  eventLoop: 0.05,
  copyRate: 20e9,
  engineRate: 1.8e9,
  slots: 3,
  slotsWanted: 3,
  digestLanes: 4,
  cores: 16,
};

function best(bytesPerSecond: number): JobFacts['storageBest'] {
  return { bytesPerSecond, at: '2026-01-02T03:04:05.678Z' };
}

function named(parts: Parts, facts: Partial<JobFacts> = {}): [string, string] | null {
  const limit = limitOf(shares(parts), { ...plain, ...facts });
  return limit === null ? null : [limit.finding, limit.setting];
}

describe('accuses nobody', () => {
  it.each<[string, Parts, Partial<JobFacts>]>([
    ['a local disk at 1.8 GB/s', { copy: 0.25, device: 0.73 }, {}],
    ['the same before warm memory, into which a copy is fast', { copy: 0.1, device: 0.88 }, {}],
    ['a storage that gives half of what it gave', { copy: 0.1, device: 0.88 }, { storageBest: best(3.6e9) }],
    ['a storage of which no yardstick is known', { copy: 0.1, device: 0.88 }, { copyRate: 0, engineRate: 1e8 }],
    ['sixteen streams on a fast storage', { copy: 0.06, device: 0.7, queue: 0.2 }, { moveQueue: 0.2, engineRate: 3e9 }],
    ['one image whose own SHA-256 is what it waits for', { copy: 0.2, digest: 0.75 }, { moving: 0.5 }],
    ['small images', { commit: 0.7, ring: 0.2, hostProgram: 0.1 }, { moves: 10, eventLoop: 0.3 }],
    ['wake-ups on a machine without free processors', { ring: 0.4, device: 0.5, copy: 0.1 }, { eventLoop: 0.1 }],
    ['a host program and a storage in balance', { hostProgram: 0.45, copy: 0.2, device: 0.3 }, { idle: 0.05 }],
    [
      'four streams whose copies into new memory take most of the time, of ten blocks each',
      { copy: 0.55, device: 0.28, ring: 0.1 },
      { moves: 10, idle: 0.4, engineRate: 0.9e9 },
    ],
    [
      'the first images of four streams, whose copies into new memory leave the lanes nothing to do now and then',
      { copy: 0.7, device: 0.14, commit: 0.12, ring: 0.04 },
      { moves: 14, idle: 0.44, moving: 0.42, engineRate: 1.2e9 },
    ],
    ['three slots that stand still now and then', { copy: 0.55, device: 0.3, ring: 0.1 }, { idle: 0.2 }],
    ['a copy', { network: 0.95 }, { mode: 'copy', store: 'nfs', engineRate: 1e8 }],
  ])('%s', (_what, parts, facts) => expect(named(parts, facts)).toBeNull());

  it('a job that is too short to say', () => {
    const slow = { hostProgram: 0.9 };
    expect(named(slow)).toEqual(['hostProgram', 'host program']);
    expect(named(slow, { seconds: secondsMin - 0.01 })).toBeNull();
    expect(named(slow, { moves: movesMin - 1 })).toBeNull();
  });
});

it('says what the storage could do before, where it is accused', () => {
  const because = (facts: Partial<JobFacts>): string =>
    limitOf(shares({ copy: 0.06, device: 0.9 }), { ...plain, engineRate: 3e8, ...facts })?.because ?? '';
  const storageBest = best(1.9e9);
  expect(because({ storageBest })).toMatch(
    /; before, in this engine's life, a job wrote 1\.90 GB\/s here \(2026-01-02 03:04 UTC\)$/,
  );
  expect(because({ storageBest, mode: 'read' })).toContain('a job read 1.90 GB/s here');
  expect(because({ storageBest: null })).not.toContain('before');
});

describe('names', () => {
  const turns = { hostProgram: 0.25, copy: 0.2, device: 0.53 };
  it.each<[string, Parts, Partial<JobFacts>, [string, string]]>([
    ['a slow host program', { hostProgram: 0.8, copy: 0.15 }, { idle: 0.5 }, ['hostProgram', 'host program']],
    ['a slow disk', { copy: 0.06, device: 0.9 }, { engineRate: 3e8 }, ['device', 'storage']],
    [
      'a slow disk behind copies into new memory',
      { copy: 0.3, device: 0.65 },
      { engineRate: 3e8 },
      ['device', 'storage'],
    ],
    [
      'a network that is fast by any measure, and gives a quarter of what it gave',
      { copy: 0.2, network: 0.78 },
      { store: 'nfs', engineRate: 2.5e9, storageBest: best(1e10) },
      ['network', 'network'],
    ],
    [
      'a disk of which no copy is known, by what it did before',
      { copy: 0.06, device: 0.9 },
      { engineRate: 3e8, copyRate: 0, storageBest: best(1.2e9) },
      ['device', 'storage'],
    ],
    [
      'a slow disk under many streams',
      { device: 0.5, queue: 0.45 },
      { moveQueue: 0.45, engineRate: 3e8 },
      ['device', 'storage'],
    ],
    ['a slow network', { copy: 0.06, network: 0.9 }, { store: 's3', engineRate: 3e8 }, ['network', 'network']],
    [
      'a slow network below NFS',
      { copy: 0.06, network: 0.9 },
      { store: 'nfs', engineRate: 3e8 },
      ['network', 'network'],
    ],
    [
      'too few digest lanes',
      { queue: 0.6, digest: 0.2 },
      { digestQueue: 0.6, digestLanes: 1 },
      ['digest', 'digest_lanes'],
    ],
    [
      'too few cores for digests',
      { queue: 0.6, digest: 0.2 },
      { digestQueue: 0.6, digestLanes: 16 },
      ['digest', 'checksum'],
    ],
    ['one slot', turns, { idle: 0.45, slots: 1, slotsWanted: 1 }, ['slots', 'write_buffer_count']],
    ['one slot for want of memory', turns, { idle: 0.45, slots: 1 }, ['slots', 'max_memory_mb']],
    ['two slots in turns', turns, { idle: 0.45, slots: 2, slotsWanted: 2 }, ['slots', 'write_buffer_count']],
    ['one part', { ...turns, device: 0, network: 0.53 }, { idle: 0.45, store: 's3' }, ['slots', 'parts_in_flight']],
    ['no read-ahead', turns, { idle: 0.45, mode: 'read', slots: 1 }, ['slots', 'read_ahead_mb']],
    ['a busy coordinator', { ring: 0.5, device: 0.3 }, { eventLoop: 0.7, idle: 0.4 }, ['coordinator', 'block_size_mb']],
  ])('%s', (_what, parts, facts, finding) => expect(named(parts, facts)).toEqual(finding));

  it('with the figures that say so, and what to change', () => {
    const limit = limitOf(shares({ queue: 0.6 }), { ...plain, digestQueue: 0.6, digestLanes: 1 });
    expect(limit?.because).toMatch(/60 % .* one of 1 digest lanes/);
    expect(limit?.change).toContain('digest_lanes (now 1, 16 cores)');
  });
});
