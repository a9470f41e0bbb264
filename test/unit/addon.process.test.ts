import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { addon } from '../../native/addon/index.ts';
import { counts, errno, must, TestDir } from '../support/addon-kit.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  addon.pretendKernel(true, true, true);
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that lives until it is killed. */
async function living(): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log("up")'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout!, 'data');
  return child as ChildProcess & { pid: number };
}
/** Resolves when the watch fires; the timer only keeps the loop alive, as a watch does not. */
function gone(pid: number): { watch: number; fired: Promise<void> } {
  let watch = 0;
  const fired = new Promise<void>((resolve) => {
    const alive = setInterval(() => {}, 1000);
    watch = addon.watchProcess(pid, () => {
      clearInterval(alive);
      resolve();
    });
  });
  return { watch: must(watch), fired };
}
const watches = (): number => counts()[4]!;

describe.each([true, false])('watching processes (pidfd: %s)', (pidfd) => {
  it('tells when one is killed, once, and each watch of it', async () => {
    addon.pretendKernel(pidfd, true, true);
    const child = await living();
    const one = gone(child.pid);
    const two = gone(child.pid);
    expect(one.watch).toBeGreaterThan(0);
    expect(two.watch).not.toBe(one.watch);
    expect(watches()).toBe(2);
    child.kill('SIGKILL');
    await Promise.all([one.fired, two.fired]);
    expect(watches()).toBe(0);
    expect(addon.unwatchProcess(one.watch)).toBe(-errno.EBADF);
  });

  it('does not call after unwatch', async () => {
    addon.pretendKernel(pidfd, true, true);
    const child = await living();
    let called = false;
    const silent = must(
      addon.watchProcess(child.pid, () => {
        called = true;
      }),
    );
    const loud = gone(child.pid);
    expect(addon.unwatchProcess(silent)).toBe(0);
    expect(addon.unwatchProcess(silent)).toBe(-errno.EBADF);
    child.kill('SIGKILL');
    await loud.fired;
    expect(called).toBe(false);
  });

  it('tells of a process that was gone before', async () => {
    addon.pretendKernel(pidfd, true, true);
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    await gone(pid).fired;
    expect(watches()).toBe(0);
  });

  it('tells of a zombie: nobody has waited for it yet, but what it did is over', async () => {
    addon.pretendKernel(pidfd, true, true);
    // The shell becomes a sleeper that never waits for its child, which ends when its standard input does.
    const parent = spawn('sh', ['-c', 'read line <&3 & echo $!; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    children.push(parent);
    const [line] = (await once(parent.stdout!, 'data')) as [Buffer];
    const watch = gone(Number(line.toString()));
    (parent.stdio[3] as Socket).destroy();
    await watch.fired;
    expect(parent.exitCode).toBe(null);
  });

  it('leaves a living process alone', async () => {
    addon.pretendKernel(pidfd, true, true);
    const child = await living();
    let called = false;
    const watch = must(
      addon.watchProcess(child.pid, () => {
        called = true;
      }),
    );
    // Another process's end comes through the same thread after it looked at all of them.
    const other = await living();
    const end = gone(other.pid);
    other.kill('SIGKILL');
    await end.fired;
    expect(called).toBe(false);
    expect(watches()).toBe(1);
    expect(addon.unwatchProcess(watch)).toBe(0);
  });

  it('survives workers that end with watches open', async () => {
    addon.pretendKernel(pidfd, true, true);
    const child = await living();
    const code = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { addon } = await import(workerData.addon);
      for (let i = 0; i < 20; i++) addon.watchProcess(workerData.pid, () => parentPort.postMessage('gone'));
      parentPort.postMessage('watching');
      if (workerData.how === 'stay') setInterval(() => {}, 1000);
      if (workerData.how === 'exit') process.exit(0);
    `;
    const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
    const start = (how: string): Worker =>
      new Worker(url, {
        workerData: { how, pid: child.pid, addon: new URL('../../native/addon/index.ts', import.meta.url).href },
      });
    for (const how of ['leave', 'exit', 'stay']) {
      const worker = start(how);
      const ended = once(worker, 'exit');
      await once(worker, 'message');
      if (how === 'stay') await worker.terminate();
      await ended;
      expect(watches(), how).toBe(0);
    }
    // Killed while a worker goes away: either it hears of it or not, and nothing breaks.
    const worker = start('stay');
    await once(worker, 'message');
    const here = gone(child.pid);
    child.kill('SIGKILL');
    await Promise.all([worker.terminate(), here.fired]);
    expect(watches()).toBe(0);
  });
});

describe('processes and threads', () => {
  it('what a core copies is no less than a disk, and no more than its caches', () => {
    const rate = addon.copyRate();
    if (process.arch !== 'x64') return void expect(rate).toBe(-errno.ENOTSUP);
    expect(rate).toBeGreaterThan(2e8);
    expect(rate).toBeLessThan(1e12);
  });

  it('refuse pids that are none', () => {
    for (const pid of [0, -1]) expect(addon.watchProcess(pid, () => {})).toBe(-errno.EINVAL);
    expect(() => addon.watchProcess(1.5, () => {})).toThrow(RangeError);
    expect(() => addon.watchProcess(1, null as unknown as () => void)).toThrow(TypeError);
  });

  it('a watch does not keep the process alive', () => {
    const run = spawnSync(
      process.execPath,
      [
        '-e',
        `import(${JSON.stringify(new URL('../../native/addon/index.ts', import.meta.url).href)})
        .then(({ addon }) => addon.watchProcess(process.ppid, () => {}))`,
      ],
      { timeout: 30_000, encoding: 'utf8' },
    );
    expect(run.status, run.stderr).toBe(0);
  });

  it('an exception of the callback is an uncaught exception', () => {
    const run = spawnSync(
      process.execPath,
      [
        '-e',
        `import(${JSON.stringify(new URL('../../native/addon/index.ts', import.meta.url).href)})
        .then(({ addon }) => {
          setInterval(() => {}, 1000);
          process.on('uncaughtException', (error) => process.exit(error.message === 'thrown' ? 7 : 8));
          addon.watchProcess(2 ** 31 - 1, () => { throw new Error('thrown'); });
        })`,
      ],
      { timeout: 30_000, encoding: 'utf8' },
    );
    expect(run.status, run.stderr).toBe(7);
  });

  it('tell the peer of a socket', async () => {
    using dir = new TestDir();
    const server = createServer();
    server.listen(join(dir.path, 's'));
    await once(server, 'listening');
    const client = connect(join(dir.path, 's'));
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const { fd } = (accepted as unknown as { _handle: { fd: number } })._handle;
    const out = new Int32Array(3);
    expect(addon.peerCredentials(fd, out)).toBe(0);
    expect([...out]).toEqual([process.pid, process.getuid!(), process.getgid!()]);
    expect(addon.peerCredentials(-1, out)).toBe(-errno.EBADF);
    expect(() => addon.peerCredentials(fd, new Int32Array(2))).toThrow(RangeError);
    client.destroy();
    accepted.destroy();
    server.close();
  });

  it("count the calling thread's CPU time alone", () => {
    const start = addon.threadCpuNs();
    let spin = 0;
    while (addon.threadCpuNs() - start < 5e6) spin++;
    expect(spin).toBeGreaterThan(0);
  });

  it('count the CPU time of a process, and say when it is gone', async () => {
    const child = await living();
    expect(addon.processCpuNs(child.pid)).toBeGreaterThan(1e6);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(addon.processCpuNs(child.pid)).toBe(-errno.ESRCH);
    expect(() => addon.processCpuNs(0)).toThrow(RangeError);
    // The process's first: what this thread uses between the two is in both.
    const whole = addon.processCpuNs(process.pid);
    const start = addon.threadCpuNs();
    while (addon.threadCpuNs() - start < 5e6);
    expect(addon.processCpuNs(process.pid) - whole).toBeGreaterThanOrEqual(5e6);
  });

  it("change the calling thread's nice value alone", async () => {
    const own = getPriority();
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       import(workerData).then(({ addon }) => {
         const { readFileSync } = require('node:fs');
         const result = addon.threadNice(7);
         const stat = readFileSync('/proc/thread-self/stat', 'utf8');
         parentPort.postMessage([result, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])]);
       });`,
      { eval: true, workerData: new URL('../../native/addon/index.ts', import.meta.url).href },
    );
    expect((await once(worker, 'message'))[0]).toEqual([0, 7]);
    expect(getPriority()).toBe(own);
    expect(() => addon.threadNice(20)).toThrow(RangeError);
  });

  it('end at once with SIGKILL', () => {
    const run = spawnSync(process.execPath, [
      '-e',
      `import(${JSON.stringify(new URL('../../native/addon/index.ts', import.meta.url).href)})
        .then(({ addon }) => { process.on('exit', () => console.log('never')); addon.killSelf(); })`,
    ]);
    expect(run.signal).toBe('SIGKILL');
    expect(run.stdout.toString()).toBe('');
  });
});
