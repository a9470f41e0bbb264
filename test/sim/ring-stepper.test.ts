import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as shipped from '../../engine/ring/index.ts';
import { bigShapes, longShapes, type Ring, shapes, starts, worldOf } from './ring-worlds.ts';
import { explore, type Finding } from './stepper.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const planted = join(root, 'test/planted');
const patches = readdirSync(planted).filter((name) => name.startsWith('ring-') && name.endsWith('.patch'));
/** The last start index. */
const wrapping = starts.at(-1)?.[1];
const heavy = Boolean(process.env.VAST_OST_HEAVY);

function told(finding: Finding | null): string | null {
  return finding && `${finding.kind}: ${finding.text}; schedule: ${finding.trace.join(' ')}`;
}

describe.each(starts)('the shipped ring, indices from %s, in every interleaving', (_, start) => {
  const here = heavy ? bigShapes : start === wrapping ? [...shapes, ...longShapes] : shapes;
  test.each(here)('$name, $records records', { timeout: 600_000 }, async (shape) => {
    const { states, finding } = await explore(worldOf(shipped, shape, start));
    expect(told(finding)).toBeNull();
    // A stepper that steps over everything finds nothing either.
    expect(states).toBeGreaterThan(200);
  });
});

describe('planted', () => {
  let copies = '';
  beforeAll(() => {
    copies = mkdtempSync(join(tmpdir(), 'ring-planted-'));
  });
  afterAll(() => rmSync(copies, { recursive: true, force: true }));

  async function withPatch(name: string): Promise<Ring> {
    const copy = join(copies, name);
    cpSync(join(root, 'engine/ring'), join(copy, 'engine/ring'), { recursive: true });
    const env = { ...process.env, GIT_CEILING_DIRECTORIES: copies };
    execFileSync('git', ['apply', join(planted, name)], { cwd: copy, env, stdio: ['ignore', 'ignore', 'pipe'] });
    return (await import(pathToFileURL(join(copy, 'engine/ring/index.ts')).href)) as Ring;
  }

  test('bugs are there to be found', () => {
    expect(patches.length).toBeGreaterThanOrEqual(6);
  });

  test.each(patches)('%s is found', async (name) => {
    const code = await withPatch(name);
    let found: Finding | null = null;
    for (const shape of [...shapes, ...longShapes]) {
      for (const [, start] of starts) found ??= (await explore(worldOf(code, shape, start))).finding;
    }
    expect(found?.kind).toMatch(/^(wrong|stuck|endless)$/);
  });
});
