/** What a call of the addon costs of itself, and a small read and write through it. */
import { constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { addon, noDir } from '../../native/addon/index.ts';
import type { Group } from './harness.ts';

/** The kernel's O_TMPFILE, which node:fs does not name. */
const tmpFileFlag = 0o20000000 | constants.O_DIRECTORY;
const size = 4096;

/** On a file without a name in the directory for temporary things: the page cache answers. */
export function addonCalls(): Group {
  const file = addon.openFile(noDir, tmpdir(), tmpFileFlag | constants.O_RDWR, 0o600);
  if (file < 0) throw new Error(`${tmpdir()}: no file could be made there (errno ${-file}); name another TMPDIR`);
  const bytes = new Uint8Array(size);
  return {
    cases: [
      { name: 'addon: a call without work', batch: 64, run: () => void addon.arenaBytes(-1) },
      { name: 'addon: CPU time of the thread', batch: 16, run: () => void addon.threadCpuNs() },
      {
        name: 'addon: pwrite of 4 KiB, page cache',
        bytes: size,
        run: () => void addon.writeBytes(file, bytes, size, 0),
      },
      { name: 'addon: pread of 4 KiB, page cache', bytes: size, run: () => void addon.readBytes(file, bytes, size, 0) },
    ],
    end: () => void addon.closeFile(file),
  };
}
