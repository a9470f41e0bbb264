/**
 * `npm run build`: the native parts (make) and dist/ (tsc), the compiled engine and command line for packages.
 * Development needs no dist/: Node 26 runs the TypeScript as it is. A package does: without a compile cache that it may
 * write to, every worker thread that loads TypeScript holds a compiler of 9 MB.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from './compile.ts';
import { step, top } from './steps.ts';

step('native parts', 'make', ['--no-print-directory', '-s', '-j2', 'native', `NODE=${process.execPath}`]);
rmSync(join(top, 'dist'), { recursive: true, force: true });
compile('dist');
