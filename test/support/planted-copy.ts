/** A copy of the checkout, or of parts of it, with a bug planted: what is to find bugs runs on it. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const ringPackage = 'sharedarraybuffer-ring';

export const plantedDirectory = join(root, 'test/planted');

/** Packages are the checkout's own; the ring, which is ours, is the copy's. */
function linkPackages(copy: string): void {
  mkdirSync(join(copy, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    const of = name === ringPackage ? join(copy, 'engine/ring') : join(root, 'node_modules', name);
    symlinkSync(of, join(copy, 'node_modules', name));
  }
}

export function plantedCopy(copy: string, parts: readonly string[], patch: string | null): void {
  for (const part of [...parts, 'package.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true, preserveTimestamps: true });
  }
  linkPackages(copy);
  if (patch === null) return;
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(copy) };
  execFileSync('git', ['apply', join(plantedDirectory, patch)], {
    cwd: copy,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}
