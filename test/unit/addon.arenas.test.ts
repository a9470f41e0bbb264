import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { counts, errno, must, TestDir } from '../support/addon-kit.ts';

const mib = 1 << 20;
/** ETOOMANYREFS: an unprivileged process has too many descriptors in flight; node does not name it. */
const tooManyReferences = 109;

afterEach(() => addon.pretendKernel(true, true, true));

/** Descriptors of this process that are arenas. */
function arenaFds(): number[] {
  const fds: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`).startsWith('/memfd:vast-ost-arena')) fds.push(Number(name));
    } catch {
      // The descriptor that listed the directory is gone by now.
    }
  }
  return fds;
}

/** Pages of arenas that this process has mapped and touched, in KiB: counted by the kernel in the page tables. */
function residentKb(): number {
  const maps = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const arenas = maps.filter((map) => map.split('\n', 1)[0]!.includes('/memfd:vast-ost-arena'));
  return arenas.reduce((sum, map) => sum + Number(/^Rss:\s+(\d+)/m.exec(map)![1]), 0);
}

function rawFd(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

describe('arenas', () => {
  it('keep what is put in, inside their bounds', () => {
    const before = counts();
    const arena = must(addon.arenaOpen(2 * mib + 100));
    expect(arena).toBeGreaterThan(0);
    const bytes = Buffer.from('between two slots');
    expect(addon.arenaPoke(arena, 2 * mib + 83, bytes)).toBe(17);
    const back = Buffer.alloc(17);
    expect(addon.arenaPeek(arena, 2 * mib + 83, back)).toBe(17);
    expect(back.equals(bytes)).toBe(true);
    expect(addon.arenaPoke(arena, 2 * mib + 84, bytes)).toBe(-errno.EFAULT);
    expect(addon.arenaPeek(arena, 2 * mib + 101, new Uint8Array(0))).toBe(-errno.EFAULT);
    expect(addon.arenaPeek(arena, 2 ** 53, back)).toBe(-errno.EFAULT);
    expect(() => addon.arenaPeek(arena, -1, back)).toThrow(RangeError);
    expect(addon.arenaClose(arena)).toBe(0);
    expect(addon.arenaClose(arena)).toBe(-errno.EBADF);
    expect(addon.arenaPeek(arena, 0, back)).toBe(-errno.EBADF);
    expect(addon.arenaPoke(arena, 0, back)).toBe(-errno.EBADF);
    expect(addon.arenaPopulate(arena, 0, 1)).toBe(-errno.EBADF);
    expect(counts()).toEqual(before);
  });

  it('of no bytes or too many are refused', () => {
    expect(addon.arenaOpen(0)).toBe(-errno.EINVAL);
    expect(addon.arenaOpen(2 ** 41)).toBe(-errno.EINVAL);
    expect(() => addon.arenaOpen(-1)).toThrow(RangeError);
  });

  it('cannot be cut or grown by anybody', () => {
    const others = new Set(arenaFds());
    const arena = must(addon.arenaOpen(mib));
    const mine = arenaFds().filter((fd) => !others.has(fd));
    expect(mine).toHaveLength(1);
    const fd = openSync(`/proc/self/fd/${mine[0]}`, 'r+');
    expect(() => ftruncateSync(fd, 0)).toThrow(/EPERM/);
    expect(() => ftruncateSync(fd, 2 * mib)).toThrow(/EPERM/);
    closeSync(fd);
    addon.arenaClose(arena);
    expect(arenaFds().filter((fd) => !others.has(fd))).toEqual([]);
  });

  it.each([
    [true, true],
    [true, false],
    [false, false],
  ])(
    'are populated without a change to what is in them (MADV_POPULATE_WRITE: %s, MADV_COLLAPSE: %s)',
    async (populate, collapse) => {
      addon.pretendKernel(true, populate, collapse);
      // Closed arenas are freed by a thread of the addon: the pages of an earlier test's must be gone first.
      await expect.poll(residentKb).toBe(0);
      const arena = must(addon.arenaOpen(16 * mib));
      const bytes = Buffer.from('already here');
      addon.arenaPoke(arena, 5 * mib + 1, bytes);
      expect(addon.arenaPopulate(arena, 4 * mib, 8 * mib)).toBe(0);
      expect(residentKb()).toBe(8 * 1024);
      const back = Buffer.alloc(bytes.length);
      addon.arenaPeek(arena, 5 * mib + 1, back);
      expect(back.equals(bytes)).toBe(true);
      expect(addon.arenaPopulate(arena, 16 * mib, 0)).toBe(0);
      expect(addon.arenaPopulate(arena, 16 * mib, 1)).toBe(-errno.EFAULT);
      addon.arenaClose(arena);
    },
  );
});

describe('sending an arena', () => {
  it('sends whole frames until the socket is full, then nothing at all', async () => {
    using dir = new TestDir();
    const server = createServer({ pauseOnConnect: true });
    server.listen(join(dir.path, 's'));
    await once(server, 'listening');
    const client = connect(join(dir.path, 's'));
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const arena = must(addon.arenaOpen(4096));
    const frame = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    let sent = 0;
    for (;;) {
      const result = addon.arenaSend(rawFd(accepted), frame, arena);
      if (result === -errno.EAGAIN || result === -tooManyReferences) break;
      expect(result).toBe(32);
      if (++sent > 100_000) throw new Error('the socket never fills');
    }
    expect(sent).toBeGreaterThan(0);
    accepted.end();
    const received: Buffer[] = [];
    for await (const part of client) received.push(part as Buffer);
    expect(Buffer.concat(received).equals(Buffer.concat(Array(sent).fill(frame)))).toBe(true);
    addon.arenaClose(arena);
    server.close();
  });

  it('to a peer that is gone fails without a signal, with bad ids too', async () => {
    using dir = new TestDir();
    const server = createServer({ pauseOnConnect: true });
    server.listen(join(dir.path, 's'));
    await once(server, 'listening');
    const client = connect(join(dir.path, 's'));
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const arena = must(addon.arenaOpen(4096));
    const frame = Buffer.alloc(32);
    client.destroy();
    await once(client, 'close');
    expect(addon.arenaSend(rawFd(accepted), frame, arena)).toBe(-errno.EPIPE);
    expect(addon.arenaSend(-1, frame, arena)).toBe(-errno.EBADF);
    expect(() => addon.arenaSend(rawFd(accepted), new Uint8Array(0), arena)).toThrow(RangeError);
    addon.arenaClose(arena);
    expect(addon.arenaSend(rawFd(accepted), frame, arena)).toBe(-errno.EBADF);
    accepted.destroy();
    server.close();
  });
});

describe('the parts that know no Node-API', () => {
  const source = fileURLToPath(new URL('../../native/addon', import.meta.url));

  it('pass their harness: faults, descriptor passing, and many threads at once', () => {
    const make = spawnSync('make', ['-C', source, 'harness'], { encoding: 'utf8' });
    expect(make.status, make.stderr).toBe(0);
    using dir = new TestDir();
    const run = spawnSync(join(source, 'build/harness/harness'), [dir.path, '20260', '400'], { encoding: 'utf8' });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });

  for (const [kind, target] of [
    ['address,undefined', 'asan'],
    ['thread', 'tsan'],
  ] as const) {
    // Fewer rounds: a race or a stale pointer shows in the first ones, or in none.
    it.skipIf(!sanitizes(kind))(`pass it under -fsanitize=${kind}`, { timeout: 300_000 }, () => {
      const words = ['-C', source, '-j2', target, 'HARNESS_ROUNDS=40'];
      const make = spawnSync('make', words, { encoding: 'utf8' });
      expect(make.status, make.stdout + make.stderr).toBe(0);
      expect(make.stdout).toContain('threads ok');
    });
  }
});

/** Whether the compiler has this sanitizer's library: some systems package it apart. */
function sanitizes(kind: string): boolean {
  const words = [`-fsanitize=${kind}`, '-x', 'c++', '-o', devNull, '-'];
  return spawnSync('c++', words, { input: 'int main() { return 0; }' }).status === 0;
}
