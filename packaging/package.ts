/**
 * `npm run package`: out/vast-ost-<version>-linux-<arch>.tar.gz, which runs wherever it is unpacked, on a machine with
 * libc, a shell and coreutils.
 *
 *   bin/       vast-ost  vast-ostd  vast-ost-host  demo
 *   lib/       libstspiVastData.so  libstspiVastDataMT.so       copy or link these into ost-plugins/
 *   app/       the compiled engine, command line and bench, in the folders of the sources; node_modules
 *   runtime/   the Node that it was tested with, and the libraries that this needs beyond libc
 *   etc/       vast-ost.conf   systemd/vast-ostd.service   docs/  README.md  LICENSE …
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { compile } from '../scripts/compile.ts';
import { capture, step, top } from '../scripts/steps.ts';
import { librariesOf } from './bare-root.ts';

const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string };
const name = `vast-ost-${version}-linux-${process.arch}`;
const stage = join(top, 'out', name);

/** What every system with a libc has; all else that Node asks for goes into the package. */
const libc = /^(libc|libm|libdl|libpthread|librt)\.so\.\d+$|ld-linux/;

function copy(from: string, to: string, mode?: number): void {
  const target = join(stage, to);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(top, from), target, { recursive: true });
  if (mode !== undefined) chmodSync(target, mode);
}

/** Packages that the program needs when it runs: by the lock file, neither for development nor optional. */
function copyDependencies(): void {
  const lock = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8')) as {
    packages: Record<
      string,
      { dev?: boolean; optional?: boolean; devOptional?: boolean; link?: boolean; resolved?: string }
    >;
  };
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (!path.startsWith('node_modules/') || entry.dev || entry.optional || entry.devOptional) continue;
    if (!entry.link) copy(path, `app/${path}`);
    else symlinkSync(join('..', entry.resolved ?? ''), join(stage, 'app', path)); // a workspace, compiled beside it
  }
}

/** A workspace's package.json names its TypeScript; the compiled one names JavaScript. */
function copyManifest(from: string): void {
  const text = readFileSync(join(top, from, 'package.json'), 'utf8').replaceAll(/\.ts"/g, '.js"');
  writeFileSync(join(stage, 'app', from, 'package.json'), text);
}

function copyRuntime(): void {
  copy(`node_modules/node-linux-${process.arch}/bin/node`, 'runtime/node', 0o755);
  copy(`node_modules/node-linux-${process.arch}/LICENSE`, 'runtime/LICENSE');
  for (const library of librariesOf(process.execPath)) {
    if (libc.test(basename(library.name))) continue;
    const target = join(stage, 'runtime/lib', library.name);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(realpathSync(library.path), target);
  }
}

/** A shell script that runs one of our programs on our Node, wherever the package lies. */
function launcher(program: string, script: string, { before = '', flags = '' } = {}): void {
  const text = `#!/bin/sh
# Part of vast-ost: runs ${script} on the Node that this package carries.
self=$(readlink -f -- "$0") && top=\${self%/bin/*} || exit 1
LD_LIBRARY_PATH="$top/runtime/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export LD_LIBRARY_PATH
${before}exec "$top/runtime/node" ${flags}"$top/app/${script}" "$@"
`;
  mkdirSync(join(stage, 'bin'), { recursive: true });
  writeFileSync(join(stage, 'bin', program), text, { mode: 0o755 });
}

/** What `vast-ost bench` starts: built into the package, so that it needs no compiler; static where this machine has libc.a. */
function buildBench(): void {
  for (const from of ['bench/native', 'bench/s3']) {
    const make = ['--no-print-directory', '-s', '-C', from, `BUILD=${join(stage, 'app', from, 'build')}`];
    if (capture('make', [...make, 'LDFLAGS=-static']).status === 0) continue;
    process.stderr.write(`${from}: not linked statically (no libc.a?): it needs a libc as new as this machine's\n`);
    step(from, 'make', make);
  }
  copy('bench/s3/fixtures', 'app/bench/s3/fixtures');
}

rmSync(stage, { recursive: true, force: true });
mkdirSync(join(stage, 'app/node_modules'), { recursive: true });
compile(join('out', name, 'app'));
copyManifest('.');
copyManifest('engine/ring');
copyDependencies();
copyRuntime();
copy('native/addon/build/vast_ost_addon.node', 'app/native/addon/build/vast_ost_addon.node');
copy('native/plugin/build/libstspiVastData.so', 'lib/libstspiVastData.so', 0o755);
copy('native/plugin/build/libstspiVastDataMT.so', 'lib/libstspiVastDataMT.so', 0o755);
copy('native/plugin/include/stsp.h', 'include/stsp.h');
copy('native/host/build/vast-ost-host', 'bin/vast-ost-host', 0o755);
buildBench();
// Demo and bench find the programs by these.
const places =
  'VAST_OST_PACKAGE=$top VAST_OST_PLUGIN=$top/lib/libstspiVastData.so\nexport VAST_OST_PACKAGE VAST_OST_PLUGIN\n';
launcher('vast-ost', 'cli/main.js', { before: places });
// As bin/vast-ostd in the checkout: the engine's own memory stays small.
launcher('vast-ostd', 'engine/main.js', { flags: '--max-semi-space-size=2 --optimize-for-size ' });
launcher('demo', 'scripts/demo.js', { before: places });
copy('packaging/vast-ost.conf', 'etc/vast-ost.conf');
copy('packaging/vast-ostd.service', 'systemd/vast-ostd.service');
for (const file of ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE', 'docs']) {
  if (existsSync(join(top, file))) copy(file, file);
}
const archive = join('out', `${name}.tar.gz`);
step('tar', 'tar', ['-czf', archive, '--owner=0', '--group=0', '--numeric-owner', '-C', 'out', name]);
process.stdout.write(`${archive}  ${(statSync(join(top, archive)).size / 1e6).toFixed(0)} MB\n`);
