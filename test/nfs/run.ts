/**
 * `npm run nfs [FILE…]`: boots a small VM with a real NFSv3 mount (emulated where KVM does not run it: right for
 * behaviour, useless for speed) and runs the tests of this folder, the store contract suite and the engine's first tests
 * in it. The VM sees this machine's file system read-only below a scratch overlay, this checkout included.
 *
 * Where something is missing it says *skipped: NAME missing* and ends with 77. `--install` installs Debian's packages
 * that it needs. Kernel and initramfs are kept in build/nfs.
 */
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  unwatchFile,
  watchFile,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { capture, step, top } from '../../scripts/steps.ts';

const exitSkipped = 77;
/** Against what hangs: emulated on a busy machine, a test of kills was seen to take 15 minutes. */
const minutesMax = 120;
const testMinutesMax = 40;
const memory = '10G';
/** Without protection keys: V8 uses them where they are, and falls over their emulation. */
const cpu = 'max,pku=off';
/** One thread for both processors: with more of them V8's code, made by one and run by another, breaks at times. */
const emulation = 'tcg,thread=single';
/** A usable /dev/kvm may yet not run a plain kernel (when it is itself in a VM); where it does, it takes seconds. */
const comeMsMax = 30_000;
const lab = join(top, 'build/nfs');
const here = import.meta.dirname;
/** The page cache of the host is not the mount's: these run on the mount as they are. */
const onTheMount = ['test/contract/store.file.test.ts', 'test/contract/engine.first.test.ts'];

/** Program → Debian package. */
const needed: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  cpio: 'cpio',
  depmod: 'kmod',
  'mount.nfs': 'nfs-common',
  'rpc.nfsd': 'nfs-kernel-server',
  rpcbind: 'rpcbind',
};

function skip(name: string, hint = ''): never {
  process.stdout.write(`skipped: ${name} missing${hint}\n`);
  process.exit(exitSkipped);
}

function isThere(program: string): boolean {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return places.some((place) => existsSync(join(place, program)));
}

function checkMachine(install: boolean): void {
  if (process.arch !== 'x64') skip('x86-64', `: this is ${process.arch}`);
  if (process.getuid?.() !== 0) skip('root');
  for (const program of ['apt-get', 'dpkg'])
    if (!isThere(program)) skip(program, ': the VM is made of Debian packages');
  const packages = Object.entries(needed).flatMap(([program, name]) => (isThere(program) ? [] : [name]));
  if (packages.length === 0) return;
  const command = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  if (!install) skip(packages.join(', '), `; apt-get ${command.join(' ')}, or: npm run nfs -- --install`);
  step('install', 'apt-get', command);
}

function buildVm(): void {
  mkdirSync(lab, { recursive: true });
  const made = statSync(join(lab, 'initramfs'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const parts = ['build.sh', 'init.sh', 'modules.txt'].map((name) => statSync(join(here, 'vm', name)).mtimeMs);
  if (made > Math.max(...parts)) return;
  const built = capture('bash', [join(here, 'vm/build.sh'), lab]);
  writeFileSync(join(lab, 'build.log'), built.stdout + built.stderr);
  if (built.status !== 0) skip('kernel package', `: ${join(lab, 'build.log')} says why`);
}

/** What the VM does once its mount is there. */
function job(files: string[]): string {
  // Copies in memory: a page of a mapped file that was on its way over 9p for a process that is killed is broken for the
  // next one too, which then dies of SIGBUS.
  const copies = {
    'bin/node': process.execPath,
    'bin/vast-ost-host': 'native/host/build/vast-ost-host',
    'lib/libstspiVastData.so': 'native/plugin/build/libstspiVastData.so',
    'lib/vast_ost_addon.node': 'native/addon/build/vast_ost_addon.node',
  };
  const cache = process.env.NODE_COMPILE_CACHE ?? '';
  const limit = testMinutesMax * 60_000;
  const vitest = `/run/vast-ost/bin/node node_modules/vitest/vitest.mjs run --maxWorkers=1 --testTimeout=${limit} --hookTimeout=${limit}`;
  const run = (list: string[], env: string): string =>
    list.length === 0 ? 'true' : `env ${env} ${vitest} ${list.map((file) => `'${file}'`).join(' ')}`;
  const [mounted, others] = [files.filter((f) => onTheMount.includes(f)), files.filter((f) => !onTheMount.includes(f))];
  return [
    `cd '${top}' || exit 1`,
    `export VAST_OST_HEAVY=1 VAST_OST_SEED=${process.env.VAST_OST_SEED ?? '20260101'} NODE_COMPILE_CACHE='${cache}' NO_COLOR=1`,
    'mkdir -p /run/vast-ost/bin /run/vast-ost/lib',
    ...Object.entries(copies).map(([name, from]) => `cp '${from}' /run/vast-ost/${name} || exit 1`),
    'export VAST_OST_ADDON=/run/vast-ost/lib/vast_ost_addon.node VAST_OST_HOST=/run/vast-ost/bin/vast-ost-host',
    run(mounted, 'VAST_OST_TEST_DIR=/mnt/vast-netbackup/test'),
    'first=$?',
    run(others, 'VAST_OST_TEST_DIR=$(mktemp -d)'),
    'second=$?',
    'exit $((first > second ? first : second))',
  ].join('\n');
}

/** Shows the guest's log as it grows. */
function follow(path: string): () => void {
  let shown = 0;
  const show = (): void => {
    const text = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    process.stdout.write(text.subarray(shown));
    shown = Math.max(shown, text.length);
  };
  watchFile(path, { interval: 1000 }, show);
  return () => {
    unwatchFile(path, show);
    show();
  };
}

/** The machine's own virtualisation first, where it may be used; emulation takes twenty times as long. */
function accelerators(): string[] {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return ['kvm', emulation];
  } catch {
    return [emulation];
  }
}

function vmArguments(accelerator: string): string[] {
  const nine = (path: string, tag: string, more: string): string =>
    `local,path=${path},mount_tag=${tag},security_model=none${more}`;
  return [
    ...['-accel', accelerator, '-cpu', cpu, '-smp', '2', '-m', memory, '-nographic', '-no-reboot'],
    ...['-kernel', join(lab, 'vmlinuz'), '-initrd', join(lab, 'initramfs')],
    ...['-append', 'console=ttyS0 quiet panic=-1', '-nic', 'none'],
    ...['-virtfs', nine('/', 'host', ',readonly=on,multidevs=remap'), '-virtfs', nine(lab, 'share', '')],
  ];
}

interface VmEnd {
  /** The guest got as far as its script, which opens its log first. */
  came: boolean;
  /** The end of what the console showed. */
  console: string;
}

/** Runs the VM to its end. One that does not come within `comeMs` is ended; null: it may take all the time there is. */
async function boot(accelerator: string, comeMs: number | null): Promise<VmEnd> {
  for (const name of ['exit', 'guest.log']) rmSync(join(lab, name), { force: true });
  const vm = spawn('qemu-system-x86_64', vmArguments(accelerator), { stdio: ['ignore', 'pipe', 'pipe'] });
  const end: VmEnd = { came: false, console: '' };
  for (const stream of [vm.stdout, vm.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      end.console = (end.console + chunk.toString('latin1')).slice(-4000);
    });
  }
  const came = (): boolean => existsSync(join(lab, 'guest.log'));
  const timers = [setTimeout(() => vm.kill('SIGKILL'), minutesMax * 60_000)];
  if (comeMs !== null) timers.push(setTimeout(() => came() || vm.kill('SIGKILL'), comeMs));
  const shown = follow(join(lab, 'guest.log'));
  await new Promise((resolve) => vm.once('close', resolve));
  for (const timer of timers) clearTimeout(timer);
  shown();
  end.came = came();
  return end;
}

/** Each way in turn until the VM comes up in one. */
async function bootSomehow(): Promise<void> {
  const ways = accelerators();
  for (const accelerator of ways) {
    const last = accelerator === ways.at(-1);
    const { came, console } = await boot(accelerator, last ? null : comeMsMax);
    if (came && existsSync(join(lab, 'exit'))) return;
    if (came || last) {
      process.stdout.write(`the VM ended without a result; its console:\n${console}\n`);
      return;
    }
    process.stdout.write(`the VM does not come up with ${accelerator}: once more, emulated\n`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { install: { type: 'boolean', default: false } },
});
checkMachine(values.install);
buildVm();
copyFileSync(join(here, 'vm/guest.sh'), join(lab, 'guest.sh'));
writeFileSync(join(lab, 'job.sh'), job(positionals.length > 0 ? positionals : [...onTheMount, 'test/nfs']));
await bootSomehow();
const exit = existsSync(join(lab, 'exit')) ? Number(readFileSync(join(lab, 'exit'), 'utf8')) : 1;
process.exit(exit);
