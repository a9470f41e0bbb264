/** create + 4 KiB + complete through the plug-in, alternating with the bare sequence of the same system calls: p50s. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from './result.ts';
import { floor, modes, startEngine } from './subjects.ts';

const perRun = 100;
/** Until V8 has compiled what an image needs. */
const warmUp = 1000;

export async function smallImages(directory: string, alternations: number): Promise<Result['small']> {
  const engine = await startEngine(join(directory, 'small'), modes[2] as (typeof modes)[number]);
  const bareMs: number[] = [];
  const engineMs: number[] = [];
  try {
    const host = await engine.script();
    await host.ok('create_lsu v bench');
    await host.ok(`images v bench warm- 0 ${warmUp} 4096 1`);
    const bare = join(directory, 'small-bare');
    for (let round = 0; round <= alternations; round++) {
      rmSync(bare, { recursive: true, force: true });
      mkdirSync(bare);
      const alone = floor(['image', bare, perRun]);
      const through = await host.ok(`images v bench r${round}- 0 ${perRun} 4096 1`);
      if (round === 0) continue;
      bareMs.push(alone.p50_us / 1000);
      engineMs.push(Number(through.p50_us) / 1000);
    }
    await host.end();
  } finally {
    await engine.stop();
  }
  return { bareMs, engineMs, perImage: perRun };
}
