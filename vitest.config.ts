import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Suites that need more than `npm test` promises (time, a VM, sanitizers): each has a command of its own. */
const heavy = ['test/campaign/**', 'test/nfs/**', 'test/fuzz/**', 'test/sanitize/**', 'test/s3/real/**'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'engine/ring/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/build/**', ...(process.env.VAST_OST_HEAVY ? [] : heavy)],
    globalSetup: 'test/support/build-once.ts',
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
