import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Suites that need more than `npm test` promises (time, a VM, sanitizers): each has a command of its own. */
const heavy = ['test/campaign/**', 'test/nfs/**', 'test/fuzz/**', 'test/sanitize/**', 'test/s3/real/**'];

/** Ten seconds and more each. Begun first, so that no processor is left alone with one of them at the end. */
const long = [
  'test/s3/fragments',
  'test/unit/bench.workplace',
  'test/contract/config-effect.test',
  'test/s3/engine.test',
  'test/native/plugin',
  'test/fault/power-loss/engine',
  'test/s3/many-endpoints',
  'test/s3/kills',
  'test/sim/ring-stepper',
  'test/fault/kill.test',
  'test/s3/config-effect',
  'test/model/random-programs',
  'test/load/bucket-streams',
];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = long.findIndex((name) => moduleId.includes(`/${name}`));
      return at < 0 ? long.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'engine/ring/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/build/**', ...(process.env.VAST_OST_HEAVY ? [] : heavy)],
    globalSetup: 'test/support/build-once.ts',
    sequence: { sequencer: LongFirst },
    pool: 'forks',
    // Engine, lanes and host programs run beside each test file, and wait for one another: a third one fills two processors.
    maxWorkers: Math.max(3, Math.min(4, availableParallelism())),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    restoreMocks: true,
    passWithNoTests: false,
  },
});
