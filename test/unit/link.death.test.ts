/** Who closes its image and ends has closed it: the memory may be handed on, whichever of the two is told first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Link } from '../../engine/intake/link.ts';

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vast-ost-link-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

/** A client in a process of its own, which ends at the first byte that it is sent. `inherit`: a child keeps its connection. */
async function clientOf(inherit: boolean): Promise<{ link: Link; ended: Promise<string>; end(): void; pid: number }> {
  const path = join(directory, 's');
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const program = `
    const socket = require('node:net').connect(${JSON.stringify(path)}, () => {
      if (${inherit}) {
        const child = require('node:child_process').spawn('sleep', ['60'], { stdio: [socket._handle, 'ignore', 'ignore'], detached: true });
        process.stdout.write(String(child.pid) + '\\n');
      } else process.stdout.write('0\\n');
    });
    socket.on('data', () => process.kill(process.pid, 'SIGKILL'));`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [[socket], [line]] = (await Promise.all([once(server, 'connection'), once(child.stdout, 'data')])) as [
    [Socket],
    [Buffer],
  ];
  server.close();
  const ended = Promise.withResolvers<string>();
  const link = new Link(1, socket, { request: () => {}, ended: (_, why) => ended.resolve(why) });
  const grandchild = Number(String(line));
  if (grandchild > 0) children.push({ kill: () => process.kill(grandchild) } as unknown as ChildProcess);
  return { link, ended: ended.promise, end: () => void link.send(Buffer.alloc(8)), pid: child.pid as number };
}

/** This thread hears of nothing until the process is dead and its descriptors are closed. */
function sleepUntilDead(pid: number): void {
  const state = (): string => {
    try {
      return /\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? 'X';
    } catch {
      return 'X';
    }
  };
  while (state() !== 'Z' && state() !== 'X') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

test('a connection whose end and whose process’s death come together was closed by its client', async () => {
  for (let round = 0; round < 5; round++) {
    const { link, ended, end, pid } = await clientOf(false);
    end();
    sleepUntilDead(pid);
    expect(await ended).toBe('the host program closed the connection');
    expect(link.closedByPeer).toBe(true);
  }
});

test('a connection that a child of the dead process still holds was not', async () => {
  const { link, ended, end } = await clientOf(true);
  end();
  expect(await ended).toBe('the host program died');
  expect(link.closedByPeer).toBe(false);
});
