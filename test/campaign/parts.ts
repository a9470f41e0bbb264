/** What the campaign runs: each part is one command, and says by its exit code whether it passed (77: skipped). */
import { join } from 'node:path';
import { top } from '../../scripts/steps.ts';
import { targets } from '../fuzz/targets.ts';

export const exitSkipped = 77;

export interface Part {
  name: string;
  /** The count that it stands for, for people. */
  count: string;
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Longest sensible time: what hangs is ended, as failed. */
  minutesMax: number;
}

const programs = 5000;
const programsPerPart = 250;
/** Each of them before two kinds of endpoints. */
const s3Programs = 1000;
const randomKills = 100;
const flips = 1000;
const s3Flips = 200;
const s3Listed = 100_000;
const s3KillsPerStep = 200;
const mountJobs = 200;
const s3RainImages = 40;
const s3EndpointRounds = 20;
/** Of each parser. */
const fuzzCpuSeconds = 300;

function vitest(name: string, count: string, files: string[], env: NodeJS.ProcessEnv, minutesMax: number): Part {
  const args = [join(top, 'node_modules/vitest/vitest.mjs'), 'run', ...files];
  return { name, count, command: process.execPath, args, env, minutesMax };
}

/** Programs in several parts: what has passed is not run again after a break. */
function programParts(name: string, variable: string, all: number, files: string[], seed: number): Part[] {
  return Array.from({ length: all / programsPerPart }, (_, i) => {
    const from = seed + i * programsPerPart;
    const env = { [variable]: String(programsPerPart), VAST_OST_SEED: String(from) };
    return vitest(`${name} ${i + 1}`, `${programsPerPart} from seed ${from}`, files, env, 60);
  });
}

function fuzzParts(seed: number): Part[] {
  const count = `${fuzzCpuSeconds} CPU-s, seed ${seed}`;
  const ours = targets.map(({ name }) => ({
    name: `fuzz ${name}`,
    count,
    command: process.execPath,
    args: [join(top, 'test/fuzz/run.ts'), name, '--seconds', String(fuzzCpuSeconds), '--seed', String(seed)],
    env: {},
    minutesMax: 30,
  }));
  const native = ['config', 'frames'].map((name) => ({
    name: `fuzz plug-in ${name}`,
    count,
    command: 'make',
    args: [
      ...['-s', '-C', join(top, 'native/plugin'), `fuzz-${name}`],
      ...[`FUZZ_SECONDS=${fuzzCpuSeconds}`, `FUZZ_SEED=${seed % 2 ** 31}`],
    ],
    env: {},
    minutesMax: 30,
  }));
  return [...ours, ...native];
}

export function campaignParts(seed: number): Part[] {
  const env = { VAST_OST_SEED: String(seed), VAST_OST_HEAVY: '1' };
  return [
    vitest('ring stepper', 'all interleavings, all planted bugs', ['test/sim/ring-stepper'], env, 30),
    vitest('kills', 'before and after every call', ['test/campaign/kill-every-call'], env, 60),
    vitest(
      'random kills',
      `${randomKills}, seeds from ${seed}`,
      ['test/fault/random-kill'],
      { ...env, VAST_OST_RANDOM_KILLS: String(randomKills) },
      45,
    ),
    vitest(
      'kills, bucket',
      `${s3KillsPerStep} at each step, half of them of the engine, seeds from ${seed}`,
      ['test/s3/kills'],
      { ...env, VAST_OST_S3_KILLS: String(s3KillsPerStep) },
      60,
    ),
    vitest(
      'mounts',
      `one fails under ${mountJobs} jobs of each worker, seed ${seed}`,
      ['test/contract/mounts'],
      { ...env, VAST_OST_MOUNT_JOBS: String(mountJobs) },
      20,
    ),
    vitest(
      'rain, bucket',
      `${s3RainImages} images a stream through a faulty proxy, seed ${seed}`,
      ['test/s3/rain'],
      { ...env, VAST_OST_S3_RAIN: String(s3RainImages) },
      60,
    ),
    vitest(
      'endpoints, bucket',
      `one of four killed and back, ${s3EndpointRounds} images a stream and phase`,
      ['test/s3/many-endpoints'],
      { ...env, VAST_OST_S3_ENDPOINT_ROUNDS: String(s3EndpointRounds) },
      30,
    ),
    vitest('budget', 'every planted bug that makes a block dearer', ['test/campaign/budget'], env, 30),
    vitest('power loss, store', `all states, seed ${seed}`, ['test/fault/power-loss'], env, 30),
    vitest('power loss, engine', `all states and syncs, seed ${seed}`, ['test/campaign/power-loss'], env, 60),
    vitest('bit flips', `${flips}, seed ${seed}`, ['test/fault/flips'], { ...env, VAST_OST_FLIPS: String(flips) }, 30),
    vitest(
      'bit flips, bucket',
      `${s3Flips}, with and without checksums of the endpoint, seed ${seed}`,
      ['test/s3/flips'],
      { ...env, VAST_OST_S3_FLIPS: String(s3Flips) },
      30,
    ),
    vitest(
      'listing, bucket',
      `${s3Listed} images; its log has the figures`,
      ['test/s3/listing'],
      { ...env, VAST_OST_S3_LISTED: String(s3Listed) },
      30,
    ),
    vitest(
      'load',
      '64 streams of 160 MB; 16 into a bucket, by http and https; 15000 small images',
      ['test/load', '--no-file-parallelism'],
      { ...env, VAST_OST_LOAD: 'full' },
      60,
    ),
    ...fuzzParts(seed),
    ...programParts('model', 'VAST_OST_PROGRAMS', programs, ['test/model'], seed),
    ...programParts('model, bucket', 'VAST_OST_S3_PROGRAMS', s3Programs, ['test/s3/random-programs'], seed),
  ];
}
