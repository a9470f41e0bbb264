/**
 * The plug-in's own tests, in C: a harness against scripted engines, plain and under sanitizers, a hundred loads, the
 * fuzzers' corpora, and the vectors of the configuration's grammar. Here they are built and run.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { symbolFaults, symbolRules } from '../../scripts/checks/symbols.ts';
import { seed } from '../support/seed.ts';

const plugin = new URL('../../native/plugin/', import.meta.url).pathname;
const vectors = new URL('../vectors/ini/', import.meta.url);
const corpus = new URL('../fuzz/corpus/', import.meta.url).pathname;
const run = promisify(execFile);

async function make(...targets: string[]): Promise<void> {
  await run('make', ['-s', '-C', plugin, '-j2', ...targets], { maxBuffer: 2 ** 26 });
}

/** A test program's verdict: it names the test that failed and prints the seed. */
async function passes(program: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { maxBuffer: 2 ** 26, env: { ...process.env, VAST_OST_SEED: String(seed), ...env } };
  const outcome = await run(`${plugin}build/${program}`, args, options).catch((error) => error);
  if (outcome instanceof Error) throw new Error(`${program}: ${outcome.message}\n${Reflect.get(outcome, 'stdout')}`);
  return outcome.stdout;
}

/** Whether the compiler has this sanitizer's library: some systems package it apart. */
function sanitizes(kind: string): boolean {
  const args = [`-fsanitize=${kind}`, '-x', 'c', '-o', devNull, '-'];
  return spawnSync('cc', args, { input: 'int main(void) { return 0; }' }).status === 0;
}
const memory = sanitizes('address,undefined');
const threads = sanitizes('thread');
const objdump = spawnSync('objdump', ['--version']).status === 0;

describe('harness', () => {
  test('against scripted engines', { timeout: 300_000 }, async () => {
    await make('build/plain/harness');
    expect(await passes('plain/harness')).toMatch(/\n\d{2,} passed\n$/);
  });

  test.skipIf(!memory)('with AddressSanitizer and UndefinedBehaviorSanitizer', { timeout: 300_000 }, async () => {
    await make('build/asan/harness');
    await passes('asan/harness', [], { ASAN_OPTIONS: 'detect_leaks=1' });
  });

  test.skipIf(!threads)('with ThreadSanitizer', { timeout: 300_000 }, async () => {
    await make('build/tsan/harness');
    await passes('tsan/harness', [], { TSAN_OPTIONS: 'halt_on_error=1:die_after_fork=0' });
  });

  test('both libraries loaded and unloaded a hundred times', { timeout: 300_000 }, async () => {
    await make('all', 'build/plain/load');
    await passes('plain/load', [], { STSP_LIBRARIES: `${plugin}build` });
  });
});

describe.skipIf(!memory)('fuzzers', () => {
  test.each(['config', 'frames'])(
    '%s: every input of the corpus, and two seconds more',
    async (name) => {
      await make(`build/fuzz-${name}`);
      const inputs = [`${corpus}plugin-${name}`, ...(name === 'config' ? [vectors.pathname] : [])];
      const said = await passes(`fuzz-${name}`, ['--seconds', '2', '--seed', String(seed), ...inputs]);
      expect(Number(/ (\d+) inputs of the corpus/.exec(said)?.[1])).toBeGreaterThan(10);
    },
    300_000,
  );
});

describe('vectors of the configuration that the engine passes too', () => {
  const names = readdirSync(vectors)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => name.slice(0, -'.conf'.length));

  beforeAll(() => make('build/ini-print'), 300_000);

  test.each(names)('%s', async (name) => {
    const expected = JSON.parse(readFileSync(new URL(`${name}.expect.json`, vectors), 'utf8'));
    const child = run(`${plugin}build/ini-print`, { maxBuffer: 2 ** 26 });
    child.child.stdin?.end(readFileSync(new URL(`${name}.conf`, vectors)));
    const lines = (await child).stdout.trimEnd().split('\n');
    const wrong = /^wrong (\d+)$/.exec(lines.at(-1) ?? '');
    if (!expected.ok) {
      expect(Number(wrong?.[1])).toBe(expected.line);
      return;
    }
    expect(wrong).toBe(null);
    const text = (hex = '-') => (hex === '-' ? '' : Buffer.from(hex, 'hex').toString('utf8'));
    const sections = new Map<string, Map<string, string>>();
    for (const [kind, section, key, value] of lines.map((line) => line.split(' '))) {
      if (kind === 'section' && !sections.has(text(section))) sections.set(text(section), new Map());
      if (kind === 'key') sections.get(text(section))?.set(text(key), text(value));
    }
    const wanted = Object.entries<Record<string, string>>(expected.sections);
    expect(sections).toEqual(new Map(wanted.map(([section, keys]) => [section, new Map(Object.entries(keys))])));
  });
});

describe.skipIf(!objdump)('what the libraries ask of a system', () => {
  const rules = symbolRules.filter(({ file }) => file.includes('native/plugin'));

  test.each(rules)('$file', { timeout: 300_000 }, async (rule) => {
    await make('all');
    const file = `${plugin}../../${rule.file}`;
    const [table, header] = await Promise.all([run('objdump', ['-T', file]), run('objdump', ['-p', file])]);
    expect(symbolFaults(rule, table.stdout, header.stdout)).toEqual([]);
    const functions = [...readFileSync(`${plugin}include/stsp.h`, 'utf8').matchAll(/^[\w *]*?\b(stsp_\w+)\(/gm)];
    const exported = [...table.stdout.matchAll(/ STSP_1 +(stsp_\w+)$/gm)].map(([, name]) => name);
    expect(exported.sort()).toEqual(functions.map(([, name]) => name).sort());
    expect(exported.length).toBe(29);
  });
});
