/**
 * `npm run build`: the native parts (make) and dist/ (tsc), the compiled engine and command line for packages.
 * Development needs no dist/: Node 26 runs the TypeScript as it is.
 */
import { rmSync } from 'node:fs';
import { step } from './steps.ts';

step('native parts', 'make', ['--no-print-directory', '-s', '-j2', 'native', `NODE=${process.execPath}`]);
rmSync('dist', { recursive: true, force: true });
step('dist/', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
