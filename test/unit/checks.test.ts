/** Each check of `npm run check` must find the fault that it is there for, and be quiet without it. */
import { describe, expect, test } from 'vitest';
import { forbiddenImports, importCycles, importGraph } from '../../scripts/checks/imports.ts';
import { brokenLinks } from '../../scripts/checks/links.ts';
import { symbolFaults } from '../../scripts/checks/symbols.ts';
import { lockFaults, machineTraces, tooLong } from '../../scripts/checks/texts.ts';

const file = (path: string, text: string) => ({ path, text });
const slash = '/';

describe('imports', () => {
  const findings = (path: string, text: string) => forbiddenImports(importGraph([file(path, text)]));

  test.each([
    ['a sibling room', 'engine/intake/link.ts', "import { x } from '../image/meta.ts';"],
    ['a type of a sibling room', 'engine/intake/link.ts', "import type { X } from '../transfer/plan.ts';"],
    ['core that imports a room', 'engine/core/wire.ts', "import { x } from '../image/meta.ts';"],
    ['the ring that imports anything', 'engine/ring/ring.ts', "import { x } from '../core/order.ts';"],
    ['workers that import a room', 'workers/perform.ts', "export { x } from '../engine/lanes/pool.ts';"],
    ['product that imports tests', 'cli/show.ts', "import '../test/help.ts';"],
    [
      'a coordinator that imports a store',
      'engine/coordinator/a.ts',
      "import { x } from '../../workers/file/open.ts';",
    ],
    ['a dynamic import', 'engine/admin/log.ts', "const x = await import('../lanes/pool.ts');"],
  ])('%s is found', (_name, path, text) => {
    expect(findings(path, text)).toHaveLength(1);
  });

  test.each([
    ['core', 'engine/intake/link.ts', "import { x } from '../core/wire.ts';"],
    ['the ring package', 'engine/lanes/pool.ts', "import { x } from 'sharedarraybuffer-ring';"],
    ['all rooms, from the coordinator', 'engine/coordinator/a.ts', "import { x } from '../image/meta.ts';"],
    [
      'the store contract, from the coordinator',
      'engine/coordinator/a.ts',
      "import { x } from '../../workers/store.ts';",
    ],
    ['an import over several lines', 'workers/a.ts', "import {\n  x,\n} from '../engine/core/order.ts';"],
  ])('%s is allowed', (_name, path, text) => {
    expect(findings(path, text)).toEqual([]);
  });

  test('a cycle is found once, with its chain', () => {
    const graph = importGraph([
      file('cli/a.ts', "import './b.ts';"),
      file('cli/b.ts', "import { c } from './c.ts';"),
      file('cli/c.ts', "import type { A } from './a.ts';"),
      file('cli/d.ts', "import './a.ts';"),
    ]);
    expect(importCycles(graph)).toEqual(['cli/a.ts: import cycle: cli/a.ts → cli/b.ts → cli/c.ts → cli/a.ts']);
  });
});

describe('texts', () => {
  test('a long file needs a reason, and a reason needs a long file', () => {
    const long = file('a.ts', 'x\n'.repeat(401));
    expect(tooLong([long], {})).toHaveLength(1);
    expect(tooLong([long], { 'a.ts': 'because' })).toEqual([]);
    expect(tooLong([file('a.ts', 'x\n')], { 'a.ts': 'because' })).toHaveLength(1);
  });

  test('places of a machine and registry hosts are found', () => {
    expect(machineTraces([file('a.md', `see ${slash}work/main/x`)], [])).toHaveLength(1);
    expect(machineTraces([file('a.md', `'${slash}tmp/x'`)], [])).toHaveLength(1);
    expect(machineTraces([file('a.md', 'https://packages.example/x')], ['packages.example'])).toHaveLength(1);
    expect(machineTraces([file('a.md', '/mnt/vast-netbackup/work/x and ../tmp/x')], ['packages.example'])).toEqual([]);
  });

  test('a link that leads nowhere is found', () => {
    const text = '[a](../x/a.ts) [b](gone.md#part) [c](https://example.com/gone) [d](#here)';
    const findings = brokenLinks([file('docs/a.md', text)], (path) => path === 'x/a.ts');
    expect(findings).toEqual(['docs/a.md: link to gone.md, which is not there']);
  });

  test('lock file faults are found', () => {
    const lock = (entry: object) => JSON.stringify({ packages: { 'node_modules/a': entry } });
    expect(lockFaults(lock({ version: '1.0.0', integrity: 'sha512-x' }))).toEqual([]);
    expect(lockFaults(lock({ version: '1.0.0' }))).toHaveLength(1);
    expect(lockFaults(lock({ integrity: 'sha512-x', hasInstallScript: true }))).toHaveLength(1);
    expect(lockFaults(lock({ integrity: 'sha512-x', resolved: 'https://packages.example/a.tgz' }))).toHaveLength(1);
  });
});

describe('symbols', () => {
  const rule = { file: 'a.so', versions: { GLIBC: '2.17' }, needed: ['libc.so.6'], exports: /^stsp_/ };
  const row = (version: string, name: string) =>
    `0000000000000000      DF *UND*\t0000000000000000 (${version})  ${name}`;

  test('versions are compared as versions', () => {
    expect(symbolFaults(rule, row('GLIBC_2.9', 'a'), '')).toEqual([]);
    expect(symbolFaults(rule, row('GLIBC_2.2.5', 'a'), '')).toEqual([]);
    expect(symbolFaults(rule, row('GLIBC_2.17', 'a'), '')).toEqual([]);
    expect(symbolFaults(rule, row('GLIBC_2.34', 'dlopen'), '')).toHaveLength(1);
    expect(symbolFaults(rule, row('GLIBCXX_3.4', 'b'), '')).toHaveLength(1);
  });

  test('exports and needed libraries outside the interface are found', () => {
    const exported = (name: string) => `0000000000001139 g    DF .text\t000000000000000b  Base        ${name}`;
    expect(symbolFaults(rule, exported('stsp_init'), '  NEEDED               libc.so.6')).toEqual([]);
    expect(symbolFaults(rule, exported('helper'), '')).toHaveLength(1);
    expect(symbolFaults(rule, '', '  NEEDED               libstdc++.so.6')).toHaveLength(1);
  });
});
