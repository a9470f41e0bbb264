/**
 * `npm run s3-real [FILE…]`: builds versitygw and MinIO from their Go modules, pinned in go.mod and go.sum beside this
 * file, and runs the tests of this folder against them: the store contract, upload, restore and resume through plug-in
 * and engine, and one tree seen through NFS and through S3.
 *
 * Where something is missing it says *skipped: NAME …* and ends with 77. The programs are kept in build/s3-servers, and
 * built anew when go.sum has changed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step, top } from '../../../scripts/steps.ts';
import { isBuilt, realKinds, realProgram } from './real-server.ts';

const exitSkipped = 77;
const here = import.meta.dirname;
const packages = { versitygw: 'github.com/versity/versitygw/cmd/versitygw', minio: 'github.com/minio/minio' } as const;

function skip(what: string): never {
  process.stdout.write(`s3-real: skipped: ${what}\n`);
  process.exit(exitSkipped);
}

function go(args: string[]): { status: number; missing: boolean; err: string } {
  // No toolchain is fetched, no version is chosen anew: what go.mod and go.sum say, or nothing.
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' };
  const result = spawnSync('go', args, { cwd: here, env, encoding: 'utf8', stdio: ['ignore', 'inherit', 'pipe'] });
  const missing = (result.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  return { status: result.status ?? 1, missing, err: result.stderr ?? '' };
}

/** go.mod and go.sum together name every byte that is built. */
function pinned(): string {
  const hash = createHash('sha256');
  for (const name of ['go.mod', 'go.sum']) hash.update(readFileSync(join(here, name)));
  return hash.digest('hex');
}

function build(): void {
  const lab = join(top, 'build/s3-servers');
  const stamp = join(lab, 'stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === pinned() && realKinds.every(isBuilt)) return;
  const version = go(['version']);
  if (version.missing) skip('go is not installed (versitygw and MinIO are built with it)');
  const modules = go(['mod', 'download']);
  if (modules.status !== 0) {
    const last = modules.err.trim().split('\n').at(-1) ?? '';
    skip(
      /requires go|go\.mod requires/.test(modules.err)
        ? `go is too old: ${last}`
        : `Go modules are not reachable: ${last}`,
    );
  }
  mkdirSync(lab, { recursive: true });
  for (const kind of realKinds) {
    process.stdout.write(`s3-real: building ${kind} (a minute or two)\n`);
    const built = go(['build', '-trimpath', '-o', realProgram(kind), packages[kind]]);
    if (built.status !== 0) {
      process.stderr.write(`s3-real: ${kind} could not be built:\n${built.err}\n`);
      process.exit(1);
    }
  }
  writeFileSync(stamp, pinned());
}

build();
process.env.VAST_OST_HEAVY = '1';
const files = process.argv.slice(2);
const tests = files.length > 0 ? files : ['test/s3/real'];
step('s3-real', process.execPath, [join(top, 'node_modules/vitest/vitest.mjs'), 'run', ...tests]);
