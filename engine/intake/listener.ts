/**
 * The engine's socket: one engine per path, by a lock that the kernel frees only when the last thread of the old engine
 * is gone. So a new engine cannot meet a half-dead old one.
 */
import { chmodSync, constants, existsSync, mkdirSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { addon, noDir } from '../../native/addon/index.ts';
import { Link, type LinkEvents } from './link.ts';

export class ListenError extends Error {}

export interface Listener {
  readonly links: ReadonlySet<Link>;
  /** Takes no new connection any more. */
  close(): void;
}

/** Bytes that sun_path holds, NUL included. */
const socketPathMax = 108;

function lock(path: string): void {
  const file = addon.openFile(noDir, path, constants.O_RDWR | constants.O_CREAT, 0o640);
  if (file < 0)
    throw new ListenError(`cannot open ${path}: errno ${-file}; may this user write there? ([engine] socket)`);
  // Held until the process is gone: the file is never closed.
  if (addon.lockFile(file) < 0) {
    throw new ListenError(`another engine holds ${path}: stop it first, or give this one its own [engine] socket`);
  }
}

/** Locks, listens, sets the socket's mode. Throws ListenError with the setting and the next step. */
export function listen(path: string, mode: number, events: LinkEvents): Promise<Listener> {
  if (Buffer.byteLength(path) >= socketPathMax) {
    throw new ListenError(`[engine] socket = ${path}: longer than ${socketPathMax - 1} bytes`);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  lock(`${path}.lock`);
  // Ours by the lock: what lies there is left over from an engine that is gone.
  if (existsSync(path)) unlinkSync(path);
  const links = new Set<Link>();
  let next = 1;
  const server: Server = createServer((socket) => {
    const link = new Link(next++, socket, {
      request: (from, request) => events.request(from, request),
      ended: (ended, why) => {
        links.delete(ended);
        events.ended(ended, why);
      },
    });
    if (!link.ended) links.add(link);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ListenError(`cannot listen on ${path}: ${error.message}`)));
    // Nobody may connect before the mode is right.
    const umask = process.umask(0o177);
    server.listen({ path }, () => {
      process.umask(umask);
      chmodSync(path, mode);
      resolve({ links, close: () => server.close() });
    });
  });
}
