/** An arena handed to another process by a real socket: sent, mapped there, looked at, let go of, answered. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addon } from '../../native/addon/index.ts';
import type { Group } from './harness.ts';

const receiver = join(import.meta.dirname, '../native/build/receiver');
const bytes = 192 << 20;
const page = 2 << 20;

export async function handover(): Promise<Group> {
  const directory = mkdtempSync(join(tmpdir(), 'vast-ost-bench-'));
  const path = join(directory, 's');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const child = spawn(receiver, [path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${receiver} ended with ${code}`);
  });
  const [socket] = (await Promise.race([once(server, 'connection'), failed])) as [Socket];
  failed.catch(() => undefined);
  const arena = addon.arenaOpen(bytes);
  addon.arenaPopulate(arena, 0, page);
  const frame = new Uint8Array(32);
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const run = async (): Promise<void> => {
    const sent = addon.arenaSend(fd, frame, arena);
    if (sent !== frame.length) throw new Error(`an arena was not sent: errno ${-sent}`);
    await once(socket, 'data');
  };
  const end = async (): Promise<void> => {
    const gone = once(child, 'exit');
    socket.destroy();
    await gone;
    server.close();
    addon.arenaClose(arena);
    rmSync(directory, { recursive: true, force: true });
  };
  const make = (): void => {
    addon.arenaClose(addon.arenaOpen(bytes));
  };
  return {
    cases: [
      { name: 'arena: handed to another process and mapped there', run },
      { name: 'arena: made and closed, 192 MiB without a page', run: make },
    ],
    end,
  };
}
