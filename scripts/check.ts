/**
 * `npm run check`: what can be told without running the program. Every check runs, then the failed ones are named.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { forbiddenImports, importCycles, importGraph } from './checks/imports.ts';
import { brokenLinks } from './checks/links.ts';
import { type Findings, sources } from './checks/sources.ts';
import { symbolFaults, symbolRules } from './checks/symbols.ts';
import { lockFaults, machineTraces, tooLong } from './checks/texts.ts';
import { nativeWarnings } from './checks/warnings.ts';
import { biome, capture, top } from './steps.ts';

const typescript = sources(['.ts']);
const graph = importGraph(typescript);
const code = [...typescript, ...sources(['.mjs', '.c', '.cc', '.h', '.sh'])];

function tool(command: string, args: string[]): Findings {
  const result = capture(command, args);
  return result.status === 0 ? [] : [`${result.stdout}${result.stderr}`.trim()];
}

function registryHosts(): string[] {
  const configured = capture('npm', ['config', 'get', 'registry']).stdout.trim();
  const host = URL.canParse(configured) ? [new URL(configured).host] : [];
  return [...new Set([...host, ['registry', 'npmjs', 'org'].join('.')])];
}

function symbols(): Findings {
  return symbolRules.flatMap((rule) => {
    if (!existsSync(join(top, rule.file))) return [`${rule.file}: not built`];
    const [table, header] = [capture('objdump', ['-T', rule.file]), capture('objdump', ['-p', rule.file])];
    if (table.status !== 0) return [`${rule.file}: objdump: ${table.stderr}`];
    return symbolFaults(rule, table.stdout, header.stdout);
  });
}

const checks: [name: string, run: () => Findings][] = [
  ['types', () => tool(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])],
  ['style', () => tool(biome, ['check', '--reporter=summary'])],
  ['native warnings', nativeWarnings],
  ['imports', () => forbiddenImports(graph)],
  ['import cycles', () => importCycles(graph)],
  ['file lengths', () => tooLong(code)],
  ['machine traces', () => machineTraces(sources([]), registryHosts())],
  ['links', () => brokenLinks(sources(['.md']), (path) => existsSync(join(top, path)))],
  ['lock file', () => lockFaults(readFileSync(join(top, 'package-lock.json'), 'utf8'))],
  ['symbols', symbols],
];

const failed: string[] = [];
for (const [name, run] of checks) {
  const findings = run();
  process.stdout.write(`${findings.length === 0 ? 'ok    ' : 'FAILED'}  ${name}\n`);
  for (const finding of findings) process.stdout.write(`        ${finding.replaceAll('\n', '\n        ')}\n`);
  if (findings.length > 0) failed.push(name);
}
if (failed.length > 0)
  process.stdout.write(`\n${failed.length} of ${checks.length} checks failed: ${failed.join(', ')}\n`);
process.exit(failed.length > 0 ? 1 : 0);
