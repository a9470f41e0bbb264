/** Planted bottlenecks: how a verdict is read from the engine's log, and when it counts as right. */
import { describe, expect, it } from 'vitest';
import { type Plant, plants, unplanted } from '../../bench/limits/plants.ts';
import { row, rowText, summaryText } from '../../bench/limits/table.ts';
import { jobVerdicts, meanShares, mostNamed } from '../../bench/limits/verdict.ts';

const line = (over: object): object => ({
  msg: 'image written',
  image: 'v/i~1',
  bytes: 1e9,
  seconds: 2,
  waits: { hostProgramS: 0.1 },
  copyS: 0.3,
  shares: { hostProgram: 0.05, slotWait: { device: 0.8, ring: 0.01 }, other: 0.14 },
  limit: { finding: 'device', setting: 'storage', change: 'the storage', because: 'of it' },
  ...over,
});
const innocent = line({ limit: null });
const digest = line({ limit: { finding: 'digest', setting: 'digest_lanes' } });
const jobs = (...lines: object[]): ReturnType<typeof jobVerdicts> => jobVerdicts(lines, 'backup');
const result = (rate: number, ...lines: object[]): Parameters<typeof row.planted>[1] => ({
  rate,
  seconds: 1,
  jobs: jobs(...lines),
});
const slowDisk = plants.find(({ name }) => name === 'slow disk') as Plant;

describe('the plants', () => {
  it('are six bottlenecks at two strengths, and ten runs without', () => {
    const strengths = Map.groupBy(plants, ({ name }) => name);
    expect([...strengths.values()].map((all) => new Set(all.map(({ strength }) => strength)).size)).toEqual(
      new Array(6).fill(2),
    );
    expect(new Set(unplanted.map(({ name }) => name)).size).toBe(10);
  });
});

describe('a verdict', () => {
  it('is read from the summary lines of its direction alone', () => {
    const log = [{ msg: 'engine started' }, line({ msg: 'image read' }), line({}), 'no line', line({ waits: 7 })];
    const [job, ...more] = jobVerdicts(log, 'backup');
    expect(more).toEqual([]);
    expect(job).toMatchObject({ finding: 'device', setting: 'storage', waits: { hostProgramS: 0.1, copyS: 0.3 } });
    expect(job?.shares).toEqual({ hostProgram: 0.05, 'slotWait.device': 0.8, 'slotWait.ring': 0.01, other: 0.14 });
  });

  it('of several jobs is what most of them name; their shares are weighted by time', () => {
    expect(mostNamed(jobs(digest, line({}), digest))).toEqual({ finding: 'digest', setting: 'digest_lanes', of: 2 });
    expect(mostNamed([])).toEqual({ finding: null, setting: null, of: 0 });
    const [[first, share] = ['', 0]] = meanShares(
      jobs(line({ seconds: 3, shares: { copy: 1 } }), line({ seconds: 1, shares: { copy: 0.2 } })),
    );
    expect([first, share]).toEqual(['copy', expect.closeTo(0.8)]);
  });
});

describe('a row', () => {
  const judged = (free: number, ...lines: object[]): string =>
    row.planted(slowDisk, result(free, innocent), result(1e9, ...lines)).judgement;

  it('is right where most jobs name the plant and its setting', () => {
    expect(judged(2e9, line({}))).toBe('right');
    expect(judged(2e9, line({}), line({}), digest)).toBe('right');
    expect(judged(2e9, line({}), digest)).toBe('wrong');
    expect(judged(2e9, innocent)).toBe('wrong');
    expect(judged(2e9, line({ limit: { finding: 'device', setting: 'digest_lanes' } }))).toBe('wrong');
    expect(judged(2e9)).toBe('wrong');
  });

  it('says of a plant that was no bottleneck that it was none, and why; that counts as not named', () => {
    expect(judged(1.29e9, line({}))).toBe('no bottleneck');
    expect(judged(1.31e9, line({}))).toBe('right');
    const none = row.planted(slowDisk, result(1.2e9, line({ limit: null })), result(1e9, line({})));
    expect(rowText(none)).toMatch(
      /not a bottleneck here: the run without it had 1\.20 GB\/s, 80 % of it slotWait\.device, and must have 1\.30$/,
    );
    expect(summaryText([none])).toMatch(/^0 of 1 bottlenecks named; .*; 1 plants were no bottleneck here/);
  });

  it('of an unplanted run is wrong with one accused job, and with none at all', () => {
    expect(row.unplanted('x', [result(1e9, innocent), result(2e9, innocent, innocent)]).judgement).toBe('right');
    expect(row.unplanted('x', [result(1e9, innocent, line({})), result(1e9, innocent)]).judgement).toBe('wrong');
    expect(row.unplanted('x', [result(1e9, innocent), result(1e9)]).judgement).toBe('wrong');
  });

  it('tells what was planted, named and measured; the last line counts', () => {
    const right = row.planted(slowDisk, result(3e9, innocent), result(1e9, line({})));
    expect(rowText(right)).toMatch(
      /^slow disk, 1\/4 of its rate +right +device → storage +1\/1 +3\.00 → 1\.00 \(3\.0 ×\)/,
    );
    const rows = [right, row.unplanted('x', [result(1e9, digest)]), row.skipped(slowDisk, 'no control groups')];
    expect(rowText(rows[2] as (typeof rows)[number])).toContain('skipped: no control groups');
    expect(summaryText(rows)).toBe('1 of 1 bottlenecks named; 1 of 1 unplanted runs accused; 1 skipped');
  });
});
