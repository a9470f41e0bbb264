/** What strace saw of an engine's calls on its store, in the shim's names: to tell whether the shim saw them all. */

/** A line of `strace -f -y`: the thread, then the call. */
const lineForm = /^\d+ +(\w+)\((.*)/;

const shimNames: Readonly<Record<string, string>> = {
  open: 'open',
  openat: 'open',
  pwrite64: 'write',
  write: 'write',
  pread64: 'read',
  read: 'read',
  mkdir: 'mkdir',
  mkdirat: 'mkdir',
  rename: 'rename',
  renameat: 'rename',
  renameat2: 'rename',
  link: 'link',
  linkat: 'link',
  unlink: 'unlink',
  unlinkat: 'unlink',
  rmdir: 'rmdir',
  ftruncate: 'truncate',
  sync_file_range: 'writeback',
  fchmod: 'chmod',
  flock: 'lock',
  stat: 'stat',
  fstat: 'stat',
  statx: 'stat',
  newfstatat: 'stat',
  statfs: 'statfs',
  fstatfs: 'statfs',
  getdents64: 'list',
  copy_file_range: 'copy',
  ioctl: 'clone',
};

/**
 * Calls by name. What is not the shim's to see is left out: closing, and the links of the root that the shim itself
 * follows when it starts. A call that the shim does not know stands under strace's own name.
 */
export function tracedCalls(trace: string, store: string): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const line of trace.split('\n')) {
    const [, name = '', rest = ''] = lineForm.exec(line) ?? [];
    if (name === '' || !rest.includes(store) || name === 'close' || name.startsWith('readlink')) continue;
    const known = name === 'unlinkat' && rest.includes('AT_REMOVEDIR') ? 'rmdir' : (shimNames[name] ?? name);
    calls[known] = (calls[known] ?? 0) + 1;
  }
  return calls;
}
