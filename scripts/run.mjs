#!/usr/bin/env node
/**
 * The one entry of every npm script, in plain JavaScript because it runs on whatever Node (≥ 20) the machine has.
 *
 *   node scripts/run.mjs [--fresh] SCRIPT.ts [args…]   runs SCRIPT.ts on the pinned Node 26
 *   node scripts/run.mjs --setup-only                  installs, builds the native parts, ends
 *
 * What is missing is named in one line each, with the way to install it. The dependencies are installed only when they
 * differ from package-lock.json. `--fresh` brings the native parts up to date first; make rebuilds only what changed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.vast-ost-lock');
const nodeBinary = join(modules, `node-linux-${process.arch}`, 'bin', 'node');

/** Ends with one line per problem. */
function give(problems) {
  for (const line of problems) process.stderr.write(`vast-ost: ${line}\n`);
  process.exit(1);
}

function howToInstall(debian, redhat) {
  return `install it: apt-get install ${debian}   (RHEL, Fedora: dnf install ${redhat})`;
}

function runs(command, args, input = '') {
  const result = spawnSync(command, args, { input, encoding: 'utf8' });
  return { ok: result.status === 0, missing: result.error?.code === 'ENOENT', text: `${result.stderr ?? ''}` };
}

/** The cheap half: what can be told from this process alone. */
function checkMachine() {
  const problems = [];
  if (process.platform !== 'linux') problems.push(`this is ${process.platform}; vast-ost runs on Linux only`);
  if (!['x64', 'arm64'].includes(process.arch))
    problems.push(`CPU ${process.arch} is not supported (x64 and arm64 are)`);
  if (Number(process.versions.node.split('.')[0]) < 20) {
    problems.push(
      `Node ${process.versions.node} is too old: Node 20 or newer is needed to start; see https://nodejs.org/`,
    );
  }
  if (problems.length > 0) give(problems);
}

/** Compilers that can really compile and link. Costs a second, so only before an installation. */
function checkCompilers() {
  const problems = [];
  const c = runs(
    'gcc',
    ['-x', 'c', '-o', '/dev/null', '-'],
    '#include <stdio.h>\nint main(void){return puts("")<0;}\n',
  );
  if (c.missing) problems.push(`gcc (C compiler) is missing; ${howToInstall('gcc libc6-dev', 'gcc')}`);
  else if (!c.ok)
    problems.push(
      `gcc cannot build a program, the C headers may be missing; ${howToInstall('libc6-dev', 'glibc-devel')}`,
    );
  const staticArgs = ['-static-libstdc++', '-static-libgcc', '-x', 'c++', '-o', '/dev/null', '-'];
  const cxx = runs('g++', staticArgs, '#include <string>\nint main(){return std::string("a").size()==0;}\n');
  if (cxx.missing) problems.push(`g++ (C++ compiler) is missing; ${howToInstall('g++', 'gcc-c++ libstdc++-static')}`);
  else if (!cxx.ok) problems.push(`g++ cannot link libstdc++ statically; ${howToInstall('g++', 'libstdc++-static')}`);
  if (runs('make', ['--version']).missing) problems.push(`make is missing; ${howToInstall('make', 'make')}`);
  if (problems.length > 0) give(problems);
}

/** True when node_modules is what package-lock.json asks for, by npm's own record of what it installed. */
function installedMatches(lockText) {
  const record = join(modules, '.package-lock.json');
  if (!existsSync(record) || !existsSync(nodeBinary)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  return Object.entries(JSON.parse(lockText).packages).every(([path, wanted]) => {
    if (!path.startsWith('node_modules/')) return true; // the root and workspaces
    const there = installed[path];
    if (there === undefined) return wanted.optional === true; // another platform's package
    return there.version === wanted.version && there.integrity === wanted.integrity;
  });
}

function npm(args) {
  const cli = process.env.npm_execpath;
  const own = cli !== undefined && basename(cli) === 'npm-cli.js';
  const [command, first] = own ? [process.execPath, [cli]] : ['npm', []];
  return spawnSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

function install() {
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = createHash('sha256').update(lockText).update(process.arch).digest('hex');
  const stamped = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
  if (stamped && existsSync(nodeBinary)) return;
  checkCompilers();
  if (!installedMatches(lockText)) {
    process.stderr.write('vast-ost: installing dependencies (npm ci) …\n');
    rmSync(stampFile, { force: true });
    const result = npm(['ci', '--no-audit', '--no-fund', '--loglevel=error']);
    if (result.error) give([`npm did not start (${result.error.message}); ${howToInstall('npm', 'npm')}`]);
    if (result.status !== 0) give(['npm ci failed; its own lines stand above. Is the npm registry reachable?']);
  }
  if (!existsSync(nodeBinary)) {
    give([`npm left out the package node-linux-${process.arch}; run: npm ci --include=optional`]);
  }
  const started = runs(nodeBinary, ['--version']);
  if (!started.ok) {
    const library = /(\S+\.so\S*): cannot open shared object/.exec(started.text)?.[1];
    if (library === 'libatomic.so.1') give([`libatomic.so.1 is missing; ${howToInstall('libatomic1', 'libatomic')}`]);
    give([library ? `the library ${library} is missing` : `Node 26 does not start here: ${started.text.trim()}`]);
  }
  writeFileSync(stampFile, stamp);
}

/** One build at a time in a checkout: flock where the machine has it (util-linux), else as it comes. */
function buildNative() {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const make = ['make', '--no-print-directory', '-s', '-j2', 'native', `NODE=${nodeBinary}`];
  const lock = runs('flock', ['--version']).ok ? ['flock', join(root, '.cache', 'native.lock')] : [];
  const [command, ...args] = [...lock, ...make];
  const env = { ...process.env };
  delete env.MAKEFLAGS;
  const result = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.error) give([`make is missing; ${howToInstall('make', 'make')}`]);
  if (result.status !== 0) give(["the native parts did not build; the compiler's lines stand above"]);
}

/** Runs on Node 26 with our streams; ends as the script ends, by code or by signal. */
function start(script, args) {
  // The compile cache also keeps stripped TypeScript: without it each worker thread holds a compiler of 9 MB.
  const env = { ...process.env, PATH: `${dirname(nodeBinary)}${delimiter}${process.env.PATH ?? ''}` };
  env.NODE_COMPILE_CACHE ??= join(root, '.cache', 'node');
  const child = spawn(nodeBinary, [script, ...args], { stdio: 'inherit', env });
  // A terminal sends Ctrl-C to the whole group: handing it on as well would make two of it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  // npm that is killed alone ends its shell, and nobody tells us: what runs on would be found by nobody.
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      child.kill('SIGTERM');
    }, 500);
    watch.unref();
  }
  child.on('error', (error) => give([`${nodeBinary} did not start: ${error.message}`]));
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0));
  });
}

const args = process.argv.slice(2);
const options = new Set();
while (args[0]?.startsWith('--')) options.add(args.shift());
for (const option of options) {
  if (!['--fresh', '--setup-only'].includes(option)) give([`unknown option ${option}`]);
}
const script = args.shift();
if (script === undefined && !options.has('--setup-only')) {
  give(['usage: node scripts/run.mjs [--fresh] SCRIPT.ts [args…]   |   node scripts/run.mjs --setup-only']);
}
checkMachine();
install();
if (options.has('--fresh') || options.has('--setup-only')) buildNative();
if (script !== undefined && !options.has('--setup-only')) start(resolve(root, script), args);
