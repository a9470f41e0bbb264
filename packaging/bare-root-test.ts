/**
 * The package in a root that holds libc, a shell, coreutils and tar alone: bin/demo must pass there, and a short bench.
 *   npm run package && node scripts/run.mjs packaging/bare-root-test.ts
 * Uses chroot as root, `unshare -r` else; where neither is allowed it says skipped, with the reason, and ends with 77.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { capture, step, top } from '../scripts/steps.ts';
import { buildBareRoot } from './bare-root.ts';

const skippedStatus = 77;
const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string };
const name = `vast-ost-${version}-linux-${process.arch}`;
const asRoot = process.getuid?.() === 0;
/** Mounts live in a namespace of our own and vanish with it. */
const enter = asRoot ? ['unshare', '-m'] : ['unshare', '-r', '-m'];
/** Every native program of the bench's file part, the engine and the plug-in take part; compilers and other programs are not there. */
const bench =
  '--target /var/tmp --out /var/tmp --quick --size 64 --streams 1 --alternations 1 --warm-ups 0 --mode io-only --workloads write,control --macro-only';
/**
 * /proc and /dev/null are no files of a root but the kernel's; every chroot, container and machine has them. The engine
 * reads /proc to tell whether the process behind a claim still lives.
 */
const script = `
mount --rbind /proc "$1/proc" && : > "$1/dev/null" && mount --bind /dev/null "$1/dev/null" || exit ${skippedStatus}
chroot=$(command -v chroot) bin=/opt/${name}/bin
env -i PATH=/usr/bin HOME=/tmp "$chroot" "$1" $bin/demo || exit 1
exec env -i PATH=/usr/bin HOME=/tmp "$chroot" "$1" $bin/vast-ost bench ${bench}`;

const probe = capture(enter[0], [...enter.slice(1), 'true']);
if (probe.status !== 0) {
  process.stdout.write(`skipped: bare root: ${enter.join(' ')}: ${probe.stderr.trim()}\n`);
  process.exit(skippedStatus);
}
const archive = join('out', `${name}.tar.gz`);
if (!existsSync(join(top, archive))) {
  process.stderr.write(`${archive} is not there; make it: npm run package\n`);
  process.exit(1);
}
const root = mkdtempSync(join(top, 'out', 'bare-root-'));
try {
  buildBareRoot(root);
  step('tar', 'tar', ['-xzf', archive, '-C', join(root, 'opt')]);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const [command, ...args] = [...enter, 'sh', '-c', script, 'sh', root];
  const { status } = spawnSync(command, args, { stdio: 'inherit', env });
  process.stdout.write(
    status === 0
      ? 'passed: bare root\n'
      : status === skippedStatus
        ? 'skipped: bare root: mount is not allowed\n'
        : `FAILED: bare root: status ${status}\n`,
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
