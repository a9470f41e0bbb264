/** Opening a fragment for direct I/O, and what that asks of offsets, lengths and memory (DESIGN §9). */
import { errno } from '../../engine/core/errors.ts';
import { addon, statField } from '../../native/addon/index.ts';
import { fileMode } from '../layout.ts';
import { must, mustOpen, O_DIRECT, O_EXCL, O_NOFOLLOW, statOut } from './calls.ts';
import type { Root } from './root.ts';

export interface DataFile {
  data: number;
  align: number;
}

/** Good for every device there is, where the kernel does not tell. */
const alignUnknown = 4096;

export function openData(root: Root, dir: number, name: string, flags: number, path: string): DataFile {
  if (root.direct) {
    const data = addon.openFile(dir, name, flags | O_NOFOLLOW | O_DIRECT, fileMode);
    if (data !== -errno.EINVAL) return { data: mustOpen(data, dir, name, path), align: directAlign(root, data, path) };
  }
  // An open that the kernel refused for O_DIRECT may have made the file already.
  const again = root.direct ? flags & ~O_EXCL : flags;
  return { data: mustOpen(addon.openFile(dir, name, again | O_NOFOLLOW, fileMode), dir, name, path), align: 1 };
}

/** NFS takes any alignment: the client cuts requests itself. */
function directAlign(root: Root, data: number, path: string): number {
  if (root.isNfs) return 1;
  const result = addon.statFile(data, statOut);
  if (result < 0) addon.closeFile(data);
  must(result, 'stat', path);
  const told = Math.max(statOut[statField.directMemoryAlign], statOut[statField.directOffsetAlign]);
  return told > 0 ? told : alignUnknown;
}
