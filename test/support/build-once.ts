/** Before any test file: what several of them build, so that none finds a library that another one is just writing. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const project = join(import.meta.dirname, '../..');
const builds: readonly (readonly [directory: string, ...targets: string[]])[] = [
  // Host program, fake plug-in, histogram and series alone.
  ['native/host', 'all', 'fake', 'check'],
  ['test/fault/shim'],
  ['bench/native'],
];

export default function buildOnce(): void {
  for (const [directory, ...targets] of builds) {
    execFileSync('make', ['-s', '-C', join(project, directory), ...targets], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}
