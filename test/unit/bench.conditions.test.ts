import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Accounting, cpuCounters } from '../../bench/conditions/accounting.ts';
import { counters, difference } from '../../bench/conditions/counters.ts';
import { Files } from '../../bench/conditions/files.ts';
import { blkioGroup } from '../../bench/conditions/held-disk.ts';
import { conditions, type RunSettings, withoutCredentials } from '../../bench/conditions/machine.ts';
import { mountOf } from '../../bench/conditions/mounts.ts';
import { interfaceBytes, type Point, perSecond, processBytes, Sampler } from '../../bench/conditions/series.ts';
import { toolVersions } from '../../bench/conditions/tools.ts';
import { conditionsSchema } from '../../bench/result/schema.ts';
import { top } from '../../scripts/steps.ts';
import { type Tree, treeRoot, writeTree } from '../support/files-tree.ts';
import { runs } from '../support/seed.ts';

const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:52 / /mnt/vast\\040one rw,relatime shared:9 - nfs4 vast:/one rw,vers=4.1,nconnect=8
41 27 0:53 / /mnt/vast rw,noatime - nfs vast:/two rw,vers=3
`;

const mountstats = `device proc mounted on /proc with fstype proc
device vast:/one mounted on /mnt/vast\\040one with fstype nfs4 statvers=1.1
	opts:	rw,vers=4.1
	xprt:	tcp 0 0 2 0 0 500 499 1 900 70 64 1 2
	xprt:	tcp 0 0 1 0 0 300 300 0 900 30 64 1 2
	per-op statistics
	        READ: 10 11 0 100 200 5 50 60 0
	       WRITE: 20 25 1 4000 300 7 80 95 2
	      COMMIT: 3 3 0 10 10 0 9 9
device vast:/two mounted on /mnt/vast with fstype nfs statvers=1.1
	per-op statistics
	       WRITE: 999 999 0 1 1 1 1 1 0
`;

const snmp = 'Tcp: OutSegs RetransSegs EstabResets InErrs\nTcp: 1000 7 1 0\nUdp: InDatagrams\nUdp: 5\n';

const machine: Tree = {
  'proc/cpuinfo': `processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: ${'fpu '.repeat(100)}hypervisor sse\n\nprocessor\t: 1\n`,
  'proc/meminfo': 'MemTotal:       1024 kB\n',
  'proc/loadavg': '0.25 0.1 0.1 1/200 300\n',
  'proc/sys/kernel/hostname': 'media7\n',
  'proc/sys/kernel/osrelease': '6.18.0\n',
  'proc/self/mountinfo': mountinfo,
  'proc/self/mountstats': mountstats,
  'proc/net/snmp': snmp,
  'proc/net/netstat': 'TcpExt: TCPTimeouts TCPOFOQueue\nTcpExt: 3 4\n',
  'proc/stat': 'cpu  1000 100 500 9000 50 10 20 5 300 0\ncpu0 1 2 3\n',
  'sys/class/dmi/id/sys_vendor': 'QEMU\n',
  'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'performance\n',
  'sys/devices/system/cpu/cpu1/cpufreq/scaling_governor': 'powersave\n',
  'sys/devices/system/node/node0/meminfo': '',
  'sys/devices/system/node/node1/meminfo': '',
  'sys/class/net/eth0/speed': '25000\n',
  'sys/class/net/eth0/mtu': '9000\n',
  'sys/class/net/eth0/operstate': 'up\n',
  'sys/class/net/eth0/device/driver': '-> ../../drivers/mlx5_core',
  'sys/class/net/eth0/statistics/tx_bytes': '123456\n',
  'sys/class/net/eth1/operstate': 'down\n',
  'sys/class/net/lo/speed': '-1\n',
  'sys/dev/block/254:0/stat': '10 1 2048 30 20 2 4096 60 0 70 80 1 1 1 1 5 6\n',
};

const settings: RunSettings = {
  target: '/mnt/vast one/bench',
  engine: '0.1.0',
  tools: { fio: 'fio-3.33', mc: null },
  data: { dedup: 1, compress: 1, seed: 7 },
  diskRate: null,
  warmUps: 1,
  alternations: 7,
};

test('conditions name machine, target and network', () => {
  const found = conditions(settings, new Files(treeRoot(machine)));
  expect(conditionsSchema.parse(found)).toEqual({
    host: 'media7',
    cpu: 'AMD EPYC',
    cores: 2,
    numaNodes: 2,
    governors: ['performance', 'powersave'],
    memoryBytes: 1_048_576,
    kernel: '6.18.0',
    node: process.version,
    engine: '0.1.0',
    virtualization: 'kvm',
    target: {
      place: '/mnt/vast one/bench',
      fsType: 'nfs4',
      mountPoint: '/mnt/vast one',
      options: 'rw,relatime,vers=4.1,nconnect=8',
    },
    interfaces: [
      { name: 'eth0', mbitPerS: 25_000, mtu: 9000, driver: 'mlx5_core' },
      { name: 'lo', mbitPerS: null, mtu: 0, driver: 'none' },
    ],
    loadBefore: 0.25,
    tools: settings.tools,
    data: settings.data,
    diskRate: null,
    warmUps: 1,
    alternations: 7,
  });
});

test('a mount point is above whole names only, and the longest counts', () => {
  const files = new Files(treeRoot(machine));
  expect(mountOf(files, '/mnt/vast/x')?.source).toBe('vast:/two');
  expect(mountOf(files, '/mnt/vast')?.source).toBe('vast:/two');
  expect(mountOf(files, '/mnt/vast2/x')?.source).toBe('/dev/vda');
});

test('where nothing can be read, conditions still come and nothing is claimed', () => {
  const found = conditions(settings, new Files(treeRoot({})));
  expect(conditionsSchema.parse(found)).toMatchObject({ cpu: 'unknown', virtualization: null, interfaces: [] });
  expect(found.target.fsType).toBe('unknown');
});

test('a place in the checkout is named from its top', () => {
  const of = (target: string) => conditions({ ...settings, target }, new Files(treeRoot(machine))).target.place;
  expect(of(join(top, 'build'))).toBe('build');
  expect(of(`${top}-other/build`)).toBe(`${top}-other/build`);
});

test('addresses of buckets keep no credentials', () => {
  expect(withoutCredentials('s3://key:se@cret@bucket/prefix?X-Amz-Signature=1#x')).toBe('s3://bucket/prefix');
  expect(withoutCredentials('/data/a?b@c')).toBe('/data/a?b@c');
});

test('a FIFO, a directory, or any text in place of a file ends nothing', () => {
  const root = treeRoot({ 'proc/loadavg': 'x', 'proc/cpuinfo/x': '' });
  execFileSync('mkfifo', [join(root, 'proc/meminfo')]);
  expect(conditions(settings, new Files(root)).memoryBytes).toBe(0);
  const names = Object.keys(machine).filter((name) => !machine[name].startsWith('-> '));
  const hostile = treeRoot(machine);
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.constantFrom(...names).chain((name) => fc.nat(400).map((end) => machine[name].slice(0, end))),
        fc.constant('cpu : Tcp: device mounted on WRITE: - - - \n'.repeat(20)),
      ),
      (name, text) => {
        writeTree(hostile, { [name]: text });
        const files = new Files(hostile);
        conditionsSchema.parse(conditions(settings, files));
        for (const value of Object.values(counters('/mnt/vast one', files))) expect(value).not.toBeNaN();
        const cpu = new Accounting([1], files).end();
        for (const value of [cpu.hostProgram, cpu.engine, cpu.rest]) expect(value).not.toBeNaN();
        writeTree(hostile, { [name]: machine[name] });
      },
    ),
    runs(60),
  );
});

test('counters are those of the target: its mount, its device, its machine', () => {
  const files = new Files(treeRoot(machine));
  const nfs = counters('/mnt/vast one/bench', files);
  expect(nfs).toMatchObject({
    'nfs.write.ops': 20,
    'nfs.write.retrans': 5,
    'nfs.write.rttMs': 80,
    'nfs.write.errors': 2,
    'nfs.read.bytesReceived': 200,
    'nfs.commit.executeMs': 9,
    'nfs.sends': 800,
    'nfs.badXids': 1,
    'nfs.backlog': 100,
    'tcp.retransSegs': 7,
    'tcp.timeouts': 3,
    'eth0.txBytes': 123_456,
    'cpu.stealS': 0.05,
  });
  expect(Object.keys(nfs).some((name) => name.startsWith('disk.'))).toBe(false);
  const disk = counters('/data', files);
  expect(disk).toMatchObject({ 'disk.writeBytes': 4096 * 512, 'disk.busyMs': 70, 'disk.flushMs': 6 });
  expect(Object.keys(disk).some((name) => name.startsWith('nfs.'))).toBe(false);
  expect(cpuCounters(files)['cpu.softirqS']).toBe(0.2);
});

test('differences leave out what is new or ran backwards', () => {
  expect(difference({ a: 1, b: 5, c: 2 }, { a: 4, b: 3, d: 1 })).toEqual({ a: 3 });
});

const stat = (name: string, user: number, system: number, children: number): string =>
  `9 (${name}) S 1 9 9 0 -1 0 0 0 0 0 ${user} ${system} ${children} 0 20 0 1 0 1`;

test('the rest is what the processors did less host program and engine', () => {
  const root = treeRoot({
    'proc/stat': 'cpu  100 0 100 900 50 10 20 5 0 0\n',
    'proc/self/stat': stat('a) R (b', 0, 0, 10),
  });
  const files = new Files(root);
  const engines = new Map([
    [9, 3],
    [10, 1],
  ]);
  const accounting = new Accounting([9, 10], files, (pid) => engines.get(pid) ?? null);
  writeTree(root, {
    'proc/stat': 'cpu  400 0 200 900 90 10 120 95 0 0\n',
    'proc/self/stat': stat('a) R (b', 0, 0, 60),
  });
  engines.set(9, 3.75).set(10, 1.125);
  // 5 s busy: 3 user, 1 system, 1 softirq.
  expect(accounting.end(1.5)).toEqual({ hostProgram: 1.5, engine: 0.875, rest: 5 - 1.5 - 0.875 });
  expect(accounting.end().hostProgram).toBe(0.5);
  // Another process has the number of one that went.
  engines.set(10, 0.5);
  expect(accounting.end(0)).toMatchObject({ engine: null, rest: null });
});

test('an engine that went is not known', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
  const accounting = new Accounting([child.pid as number]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(accounting.end(0)).toMatchObject({ engine: null, rest: null });
});

test('a process that works is seen to, with threads that begin and end meanwhile', async () => {
  const accounting = new Accounting([process.pid]);
  const burn = `
    const { parentPort } = require('node:worker_threads');
    for (const end = performance.now() + 50; performance.now() < end; );
    parentPort.postMessage(process.threadCpuUsage());`;
  const worker = new Worker(burn, { eval: true });
  const [[{ user, system }]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
    [NodeJS.CpuUsage],
    unknown,
  ];
  const { engine } = accounting.end(0);
  expect(user + system).toBeGreaterThan(0);
  expect(engine).toBeGreaterThan((user + system) / 1e6);
});

test('bytes of each second add up to all of them', () => {
  const growing = fc
    .array(fc.record({ seconds: fc.double({ min: 0.01, max: 3, noNaN: true }), bytes: fc.nat(1_000_000) }), {
      minLength: 1,
      maxLength: 30,
    })
    .map((steps) => {
      const points: Point[] = [{ seconds: 0, bytes: 17 }];
      for (const step of steps) {
        const { seconds, bytes } = points.at(-1) as Point;
        points.push({ seconds: seconds + step.seconds, bytes: bytes + step.bytes });
      }
      return points;
    });
  fc.assert(
    fc.property(growing, (points) => {
      const series = perSecond(points);
      const { seconds, bytes } = points.at(-1) as Point;
      expect(series.length).toBe(Math.ceil(seconds));
      expect(series.reduce((sum, value) => sum + value, 0)).toBeCloseTo(bytes - 17, 3);
    }),
    runs(200),
  );
  expect(
    perSecond([
      { seconds: 0, bytes: 0 },
      { seconds: 2.5, bytes: 250 },
    ]),
  ).toEqual([100, 100, 50]);
  expect(perSecond([])).toEqual([]);
});

test('the sampler bridges counts that could not be read', () => {
  let [now, count]: [number, number | null] = [10, 0];
  const sampler = new Sampler(
    () => count,
    () => now,
  );
  [now, count] = [11, null];
  sampler.look();
  [now, count] = [12, 600];
  expect(sampler.end()).toEqual([300, 300]);
});

test('counts for a series come from a process or an interface', () => {
  const files = new Files(
    treeRoot({ 'proc/9/io': 'rchar: 5\nwrite_bytes: 77\n', 'sys/class/net/e/statistics/rx_bytes': '5\n' }),
  );
  expect(processBytes(9, 'write', files)()).toBe(77);
  expect(processBytes(9, 'read', files)()).toBe(null);
  expect(interfaceBytes('e', 'rx', files)()).toBe(5);
  expect(interfaceBytes('../x', 'rx', files)()).toBe(null);
});

test('the control group of a process is the controller’s, alone or with others, as the kernel writes it', () => {
  const text = (line: string): string => `12:cpu,cpuacct:/other\n${line}\n1:name=systemd:/x\n0::/y\n`;
  expect(blkioGroup(text('4:blkio:/'))).toBe('/');
  expect(blkioGroup(text('4:blkio:/system.slice/a:b'))).toBe('/system.slice/a:b');
  expect(blkioGroup(text('4:net_cls,blkio:/z'))).toBe('/z');
  expect(() => blkioGroup(text('4:xblkio:/z'))).toThrow('no blkio control group');
});

test('tools say their version in one clean line, or are not there', async () => {
  const asked = await toolVersions(async (program) => (program === 'fio' ? 'fio-3.33\u001b[31m\nmore' : null));
  expect(asked.fio).toBe('fio-3.33 [31m');
  expect(asked.mc).toBe(null);
});
