/**
 * Who may import whom, and that nobody imports himself round a corner.
 *
 *   engine/core, engine/ring   rest on nothing of ours
 *   engine/<room>              core and ring, never a sibling; coordinator and main.ts may import all of engine/
 *   engine/coordinator         besides: workers/store.ts, the store contract that it speaks
 *   workers/                   workers, engine/core, engine/ring, native/addon
 *   engine/*.ts                one room, the configuration; only main.ts stands above all
 *   cli/                       cli, the configuration, engine/core, engine/image, native/addon; and the store contract and
 *                              workers/s3, to look at a bucket without an engine
 *   everybody                  never bench/ or test/
 *   bench/                     what it likes but test/: a package has the bench, and no tests
 */
import { posix } from 'node:path';
import type { Findings, Source } from './sources.ts';

const specifier =
  /^\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm;
const ringPackage = 'sharedarraybuffer-ring';

/** File → files of ours that it imports. */
export function importGraph(files: Source[]): Map<string, string[]> {
  const graph = new Map<string, string[]>();
  for (const { path, text } of files) {
    const targets = new Set<string>();
    for (const match of text.matchAll(specifier)) {
      const name = match[1] ?? match[2] ?? match[3];
      if (name === ringPackage) targets.add('engine/ring/index.ts');
      else if (name.startsWith('.')) targets.add(posix.normalize(posix.join(posix.dirname(path), name)));
    }
    graph.set(path, [...targets]);
  }
  return graph;
}

const configuration = 'engine/*.ts';
const storeContract = 'workers/store.ts';
const bucketClient = 'workers/s3/';

/** The room of a file: 'engine/core', 'engine/main.ts', 'workers', 'native/addon', 'test' … */
function room(path: string): string {
  const parts = path.split('/');
  if (path === storeContract) return storeContract;
  if (parts[0] === 'engine' && parts.length === 2 && parts[1] !== 'main.ts') return configuration;
  return parts[0] === 'engine' || parts[0] === 'native' ? parts.slice(0, 2).join('/') : parts[0];
}

const ground = ['engine/core', 'engine/ring', 'native/addon'];

function allowed(from: string, to: string): boolean {
  if (from === to || from === 'test') return true;
  if (from === 'bench') return to !== 'test';
  if (to === 'bench' || to === 'test') return false;
  if (from === 'engine/ring') return false;
  if (from === 'engine/core' || from === 'native/addon') return to === 'engine/ring';
  if (from === 'engine/main.ts' || from === 'engine/coordinator')
    return to.startsWith('engine/') || to === 'native/addon' || to === storeContract;
  if (from.startsWith('engine/')) return ground.includes(to);
  if (from === 'workers') return ground.includes(to) || to === storeContract;
  if (from === storeContract) return ground.includes(to);
  if (from === 'cli') return [...ground, configuration, 'engine/image', storeContract].includes(to);
  return true; // scripts, packaging
}

export function forbiddenImports(graph: Map<string, string[]>): Findings {
  const found: Findings = [];
  for (const [from, targets] of graph) {
    for (const to of targets) {
      if (room(from) === 'cli' && to.startsWith(bucketClient)) continue;
      if (!allowed(room(from), room(to))) found.push(`${from}: must not import ${to} (${room(from)} → ${room(to)})`);
    }
  }
  return found;
}

/** Each cycle once, as a chain of files. */
export function importCycles(graph: Map<string, string[]>): Findings {
  const found: Findings = [];
  const done = new Set<string>();
  const chain: string[] = [];
  const visit = (file: string): void => {
    const at = chain.indexOf(file);
    if (at >= 0) {
      found.push(`${file}: import cycle: ${[...chain.slice(at), file].join(' → ')}`);
      return;
    }
    if (done.has(file)) return;
    chain.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    chain.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}
