import { expect, test } from 'vitest';
import { Progress } from '../../bench/workplace/progress.ts';

test('one line on a terminal, cut to its width, with what is left by the part that is done', () => {
  let seconds = 0;
  const written: string[] = [];
  const progress = new Progress({ write: (text) => void written.push(text), columns: 60 }, () => seconds);
  // An hour before it begins, for others perhaps, does not count.
  seconds = 3600;
  progress.expect(2);
  progress.step({ what: 'write, 1 stream', subject: 'floor', alternation: 0, of: 3 });
  expect(progress.remaining()).toBeNull();
  seconds = 3700;
  progress.pointDone();
  expect(progress.remaining()).toBe(100);
  progress.step({ what: 'write, 4 streams', subject: 'engine', alternation: 2, of: 3, rate: '1.8 GB/s' });
  expect(progress.remaining()).toBeCloseTo(100 / 3);
  for (const text of written) expect(text.replaceAll('\r', '').replaceAll('\x1b[K', '').length).toBeLessThan(60);
  expect(written.at(-1)).toContain('alternation 2 of 3 | engine');
});

test('plain lines elsewhere: one for each round of a comparison', () => {
  const written: string[] = [];
  const progress = new Progress({ write: (text) => void written.push(text), columns: null });
  for (const alternation of [1, 2]) {
    for (const subject of ['floor', 'engine']) {
      for (const workload of ['write', 'restore'])
        progress.step({ what: `${workload}, 1 stream`, subject, alternation, of: 2, rate: '1 GB/s' });
    }
  }
  expect(written).toHaveLength(2);
  // The next comparison may be called the same but for its workload.
  progress.pointDone();
  progress.step({ what: 'copy, 1 stream', subject: 'floor', alternation: 2, of: 2 });
  expect(written[2]).toContain('copy, 1 stream');
});

test('no more is left than --max-minutes leaves', () => {
  let seconds = 0;
  const progress = new Progress({ write: () => undefined, columns: null }, () => seconds);
  progress.expect(10, 60);
  expect(progress.remaining()).toBe(60);
  seconds = 20;
  progress.pointDone();
  expect(progress.remaining()).toBe(40);
  seconds = 21;
  for (let i = 0; i < 8; i++) progress.pointDone();
  expect(progress.remaining()).toBeCloseTo(21 / 9);
});
