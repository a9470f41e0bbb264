/** Where a job's time went, told by a real engine: in its log, by STATUS, and by `vast-ost why`. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type FinishedJob, partsOf, sharesSchema } from '../../engine/core/shares.ts';
import { runVastOst } from '../support/cli.ts';
import { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import { startFaulty } from './faults-kit.ts';

const mib = 1 << 20;
/** A wake-up may come late on a busy machine; an error of the method is there every time. */
const tries = 12;
const errorMax = 0.02;

const modes = {
  'i/o only': { sums: false, checksum: 'none' },
  'with sums': { sums: true, checksum: 'none' },
  default: {},
} as const;

test.each(Object.keys(modes) as (keyof typeof modes)[])('the parts of a job add up: %s', async (mode) => {
  await using engine = await TestEngine.start({ config: { integrity: modes[mode] } });
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  // Of one block, which the commit writes or a lane, and of several.
  for (const [name, size] of [
    ['small', 4096],
    ['large', 24 * mib + 512],
  ] as const) {
    const errors = { write: 1, read: 1 };
    for (let i = 0; i < tries && Math.max(errors.write, errors.read) > errorMax; i++) {
      await host.ok(`create_image v i lsu ${name} ${i}`);
      await host.ok(`write i 0 ${size} 5`);
      if (i % 2 === 0) await host.ok('flush i');
      await host.ok('close i 1');
      await host.ok(`open_image v r lsu ${name} ${i} 1`);
      await host.ok(`read r 0 ${size} expect=5`);
      await host.ok('prop r');
      await host.ok('close r 0');
      const of = (job: FinishedJob): boolean => job.image === `lsu/${name}~${i}`;
      const { finished } = await engine.status();
      for (const direction of ['write', 'read'] as const) {
        const job = finished.find((one) => of(one) && one.mode === direction)!;
        expect(sharesSchema.parse(job.shares)).toEqual(job.shares);
        expect(partsOf(job.shares).reduce((sum, [, part]) => sum + part, 0)).toBeCloseTo(1, 9);
        // 4 KiB are a few milliseconds, of which late wake-ups on a busy machine are no small part.
        const slack = name === 'small' ? 0.002 / Math.max(job.seconds, 0.002) : 0;
        errors[direction] = Math.min(errors[direction], Math.max(0, Math.abs(job.accounted - 1) - slack));
      }
    }
    expect(errors, name).toSatisfy(({ write, read }) => write <= errorMax && read <= errorMax);
  }
  expect(engine.bugs()).toEqual([]);
});

test('vast-ost why tells of one job, from the engine and, when that is gone, from its log', async () => {
  await using engine = await TestEngine.start();
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu first 7');
  await host.ok(`write i 0 ${6 * mib} 5`);
  const why = (...args: string[]) => runVastOst('why', '--config', engine.config, ...args);
  const going = await why('first');
  expect(going.code, going.errors).toBe(0);
  expect(going.text).toMatch(/image +lsu\/first\nwritten +.*\nended +not yet; waits for host program now\n/);
  expect(going.text).toMatch(/host program +\d+\.\d %/);
  const [soFar, ...none] = JSON.parse((await why('lsu/first', '--json')).text) as FinishedJob[];
  expect([soFar?.endedAt, none]).toEqual([null, []]);
  expect(partsOf(sharesSchema.parse(soFar?.shares)).reduce((sum, [, part]) => sum + part, 0)).toBeCloseTo(1, 9);
  expect((await why('firs')).errors).toMatch(/still running: test lsu\/first, which waits for/);
  await host.ok('close i 1');
  await host.ok('copy v lsu second 7 lsu first 7');

  const list = await why();
  expect(list.code, list.errors).toBe(0);
  expect(list.text).toMatch(/lsu\/second~7 +copied/);
  expect(list.text).toMatch(/lsu\/first~7 +written/);
  // The log has what another engine did before this one, and the same jobs once more.
  await until(() => engine.log().some((line) => line.msg === 'image copied'));
  const before = engine.log().find(({ msg }) => msg === 'image written');
  const earlier = { ...before, lsu: 'lsu', image: 'lsu/night~1', time: '2026-01-01T00:00:00.000Z' };
  appendFileSync(join(engine.directory, 'engine.log'), `${JSON.stringify(earlier)}\n`);
  const all = await why();
  expect(all.text).toMatch(/lsu\/night~1 +written/);
  expect(all.text.match(/lsu\/first~7 +written/g)).toHaveLength(1);
  const one = await why('first');
  expect(one.text).toMatch(/image +lsu\/first~7\n/);
  expect(one.text).toMatch(/device +\d+\.\d %/);
  expect(one.text).toContain('nothing stands out');
  const told = JSON.parse((await why('lsu/first~7', '--json')).text) as FinishedJob[];
  expect(told).toMatchObject([{ image: 'lsu/first~7', mode: 'write', bytes: 6 * mib, limit: null }]);
  const missing = await why('frist');
  expect([missing.code, missing.errors]).toEqual([1, expect.stringMatching(/frist.*nearest: .*lsu\/first~7/)]);

  await until(() => engine.log().some((line) => line.msg === 'image copied'));
  const line = engine.log().find(({ msg }) => msg === 'image written');
  expect(line).toMatchObject({ shares: told[0]!.shares, accounted: told[0]!.accounted, limit: null });
  await engine.stop();
  const gone = JSON.parse((await why('first', '--json')).text) as FinishedJob[];
  expect(gone).toMatchObject([{ image: 'lsu/first~7', shares: told[0]!.shares }]);

  const log = join(engine.directory, 'other.log');
  expect((await why('first', '--log', log)).errors).toMatch(/other\.log cannot be read \(ENOENT\)/);
  // Long lines that are none of ours, torn ones and hostile ones in between.
  const summary = `${JSON.stringify({ ...line, time: '2026-01-01T00:00:00.000Z', job: 'nb\u001b[2J' })}\n`;
  writeFileSync(log, summary);
  for (let i = 0; i < 3; i++) appendFileSync(log, `${'x'.repeat(200_000)}\n{"shares":\n${'y'.repeat(100_000)}\n`);
  appendFileSync(log, `${summary}{"msg":"image read","shares":{}}\n{"msg":"half`);
  const both = JSON.parse((await why('first', '--log', log, '--json')).text) as FinishedJob[];
  expect(both).toHaveLength(2);
  expect((await why('first', '--log', log)).text).toMatch(
    /\n1 more of this name, whole with --json:\nENDED .*\n2026-01-01 00:00:00 .* lsu\/first~7 +written/,
  );
  expect((await why('first', '--log', log)).text).toContain('nb\\x1b[2J');
  writeFileSync(log, 'nothing of ours\n');
  expect((await why('--log', log)).text).toMatch(/^no job has ended yet that .*other\.log knows of\n$/);
  // Every text in a log may be anybody's.
  const limit = { finding: 'slots', setting: 's\u001b[2J', change: 'c\u001b[2J', because: 'b\u001b[2J' };
  writeFileSync(log, `${JSON.stringify({ ...line, time: 't\u001b[2J', limit })}\n`);
  const texts = (await why('first', '--log', log)).text + (await why('--log', log)).text;
  for (const word of ['t', 's', 'c', 'b']) expect(texts).toContain(`${word}\\x1b[2J`);
  expect(texts).not.toContain('\u001b');
});

test('a writer between its calls waits for its host program, whatever is under way for it, until it has no slot left', async () => {
  await using faulty = await startFaulty({ config: { general: { block_size_mb: 4 } } });
  const { engine, shim } = faulty;
  await using host = await engine.script();
  await host.ok('create_lsu v lsu');
  await host.ok('create_image v i lsu slow 7');
  shim.arm(0, { action: 'hang', count: 0, names: ['write'], path: '*slow*' });
  await host.ok(`write i 0 ${5 * mib} 5`);
  await until(() => shim.counts(0).holding > 0);
  const waitsFor = async () => (await engine.status()).jobs.map((job) => job.waitsFor);
  expect(await waitsFor()).toEqual(['host program']);
  const more = host.call(`write i ${5 * mib} ${40 * mib} 5`);
  await until(async () => (await waitsFor())[0] === 'device');
  shim.release(0);
  await more;
  await host.ok('close i 1');
});

test('without an engine and without a log it says both', async () => {
  await using engine = await TestEngine.start();
  await engine.stop();
  const { code, errors } = await runVastOst('why', '--socket', engine.socket);
  expect([code, errors]).toEqual([1, expect.stringMatching(/no engine runs at .*no log file.*--log/)]);
});
