/** NFS mounts of the VM's own server: a part of its export each, mounted where a test's engine has its store. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: these tests run in the VM only: npm run nfs`);
  return value;
}

export class NfsStore {
  /** Of the engine: socket, log and configuration are local, its store is the mount point. */
  readonly directory: string = mkdtempSync(join(tmpdir(), 'nfs-'));
  readonly mountPoint: string;
  /** The same tree as the server has it: without any client's cache. */
  readonly exported: string;
  #mounted = false;

  constructor(mounted = true) {
    this.mountPoint = join(this.directory, 'store');
    this.exported = join(setting('VAST_OST_NFS_EXPORT'), basename(this.directory));
    mkdirSync(this.mountPoint);
    mkdirSync(this.exported);
    writeFileSync(join(this.exported, '.vast-ost-store'), encodeMarker(newMarker(new Date(0))));
    if (mounted) this.mount();
  }

  mount(): void {
    const device = `${setting('VAST_OST_NFS_SERVER')}/${basename(this.directory)}`;
    execFileSync('mount', ['-t', 'nfs', '-o', setting('VAST_OST_NFS_OPTIONS'), device, this.mountPoint]);
    this.#mounted = true;
  }

  /** Away from its place at once; who holds files of it keeps them. */
  unmountLazily(): void {
    execFileSync('umount', ['-l', this.mountPoint]);
    this.#mounted = false;
  }

  [Symbol.dispose](): void {
    if (this.#mounted) this.unmountLazily();
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.exported, { recursive: true, force: true });
  }
}

/** The server refuses what it exported, until it is exported again. */
export function withdrawExport(): void {
  execFileSync('exportfs', ['-ua']);
  execFileSync('exportfs', ['-f']);
}
export function grantExport(): void {
  execFileSync('exportfs', ['-a']);
}

/** 0: no server answers any more; calls hang, as a hard mount has it. */
export function serverThreads(count: number): void {
  execFileSync('rpc.nfsd', [String(count)]);
}
