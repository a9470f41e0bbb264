/** /proc/self/mountinfo: what lies under a directory, and the block device of it. */
import { realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Files, plain } from './files.ts';

export interface Mount {
  readonly mountPoint: string;
  readonly fsType: string;
  /** Device or server of it: '/dev/vda', 'server:/export'. */
  readonly source: string;
  /** Of the mount and of the file system, each once. */
  readonly options: string;
  /** '254:0'; '0:…' has no block device. */
  readonly device: string;
}

/** mountinfo writes blanks, tabs, newlines and backslashes as octal numbers. */
function withoutEscapes(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function parseLine(line: string): Mount | null {
  const fields = line.split(' ');
  const dash = fields.indexOf('-', 6);
  if (dash < 0 || fields.length < dash + 4) return null;
  const options = [...new Set([...fields[5].split(','), ...fields[dash + 3].split(',')])].join(',');
  return {
    mountPoint: withoutEscapes(fields[4]),
    fsType: plain(withoutEscapes(fields[dash + 1])),
    source: plain(withoutEscapes(fields[dash + 2])),
    options: plain(withoutEscapes(options), 1000),
    device: fields[2],
  };
}

export function mounts(files: Files): Mount[] {
  return files
    .lines('proc/self/mountinfo')
    .map(parseLine)
    .filter((mount): mount is Mount => mount !== null);
}

/** The directory without symbolic links, as far as it exists. */
function real(directory: string): string {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      return realpathSync(path) + resolve(directory).slice(path === '/' ? 0 : path.length);
    } catch {
      if (path === '/') return resolve(directory);
    }
  }
}

/** The mount that a path of the directory goes to: the longest mount point above it, the last of several on one. */
export function mountOf(files: Files, directory: string): Mount | null {
  const path = files.root === '/' ? real(directory) : resolve(directory);
  let found: Mount | null = null;
  for (const mount of mounts(files)) {
    const { mountPoint } = mount;
    const above = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
    if (above && mountPoint.length >= (found?.mountPoint.length ?? 0)) found = mount;
  }
  return found;
}
