/** The engine's own share of a control round trip: the call's time less the time its lane spent on it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestEngine } from '../test/support/engine.ts';
import type { Result } from './result.ts';
import { modes, startEngine } from './subjects.ts';

const calls = 5000;
const handover = join(import.meta.dirname, 'native/build/handover');

async function laneSeconds(engine: TestEngine): Promise<number> {
  const { pools } = await engine.status();
  return pools.find(({ name }) => name === 'meta')?.laneSeconds ?? Number.NaN;
}

export async function controlRoundTrip(directory: string): Promise<Result['control']> {
  const engine = await startEngine(join(directory, 'control'), modes[0] as (typeof modes)[number]);
  try {
    const host = await engine.script();
    await host.ok('create_lsu v bench');
    await host.ok('images v bench i 0 1 4096 1');
    await host.ok(`repeat 500 prop_byname v bench i0 1`);
    const before = await laneSeconds(engine);
    const answer = await host.ok(`repeat ${calls} prop_byname v bench i0 1`);
    const lane = (((await laneSeconds(engine)) - before) * 1e6) / calls;
    await host.end();
    const bare = JSON.parse(execFileSync(handover, [String(calls)], { encoding: 'utf8' })) as Record<string, number>;
    const handoverUs = (bare.process_us ?? Number.NaN) + (bare.thread_us ?? Number.NaN);
    return { handoverUs, calls, p50Us: Number(answer.p50_us), p99Us: Number(answer.p99_us), laneMeanUs: lane };
  } finally {
    await engine.stop();
  }
}
