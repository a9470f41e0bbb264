/**
 * A root directory that holds libc, a shell, coreutils and tar alone, copied from this machine: what a package must be
 * content with. Built by following `ldd`.
 */
import { cpSync, existsSync, lstatSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { capture } from '../scripts/steps.ts';

/** The parts of coreutils that scripts of a package could use. */
const coreutils = [
  'cat',
  'chmod',
  'cp',
  'dirname',
  'env',
  'head',
  'ls',
  'mkdir',
  'mv',
  'readlink',
  'rm',
  'sha256sum',
  'true',
  'uname',
  'wc',
];
const programs = ['sh', 'tar', ...coreutils];
/** Of libc: found through libc.so.6's own directory, as programs may need them at run time only. */
const libcFamily = ['libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1', 'libnss_files.so.2', 'libresolv.so.2'];

export interface Library {
  /** The name that programs ask for: 'libc.so.6', or the loader's whole path. */
  name: string;
  /** Where it is, as ldd says. */
  path: string;
}

/** What `ldd` says that a program needs; throws on one that is not found. */
export function librariesOf(program: string): Library[] {
  const listed = capture('ldd', [program]);
  if (listed.status !== 0) {
    if (/not a dynamic executable|statically linked/.test(listed.stdout + listed.stderr)) return [];
    throw new Error(`ldd ${program}: ${listed.stderr}`);
  }
  return listed.stdout.split('\n').flatMap((line) => {
    if (/=> not found/.test(line)) throw new Error(`${program} needs a library that is not here: ${line.trim()}`);
    const [, name, path] = /^\s*(\S+)(?: => (\/\S+))? \(0x/.exec(line) ?? [];
    if (name === undefined || (path === undefined && !name.startsWith('/'))) return []; // the vdso
    return [{ name, path: path ?? name }];
  });
}

function copyInto(root: string, path: string, from: string = path): void {
  const target = join(root, path);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(realpathSync(from), target);
}

/** On systems with a merged /usr the loader's path leads through /lib64 → usr/lib64. */
function mirrorTopLinks(root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    if (!existsSync(`/${name}`) || !lstatSync(`/${name}`).isSymbolicLink()) continue;
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(join('usr', name), join(root, name));
  }
}

function whereIs(program: string): string {
  const found = (process.env.PATH ?? '')
    .split(':')
    .map((dir) => join(dir, program))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${program} is not on this machine`);
  return found;
}

/** Fills an empty directory. */
export function buildBareRoot(root: string): void {
  mkdirSync(root, { recursive: true });
  mirrorTopLinks(root);
  for (const dir of ['tmp', 'proc', 'dev', 'opt', 'usr/bin', 'var/tmp'])
    mkdirSync(join(root, dir), { recursive: true });
  let libcDirectory = '';
  for (const program of programs) {
    const from = whereIs(program);
    copyInto(root, `/usr/bin/${program}`, from);
    if (!existsSync(join(root, 'bin'))) symlinkSync('usr/bin', join(root, 'bin'));
    for (const library of librariesOf(from)) {
      copyInto(root, library.path);
      if (basename(library.path) === 'libc.so.6') libcDirectory = dirname(library.path);
    }
  }
  for (const name of libcFamily) {
    const path = join(libcDirectory, name);
    if (existsSync(path)) copyInto(root, path);
  }
}
