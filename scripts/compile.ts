/** TypeScript to JavaScript, for packages. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { step, top } from './steps.ts';

/** tsc rewrites what is imported; files that are named by `new URL('./x.ts', import.meta.url)` it leaves alone. */
const fileByUrl = /(new URL\(\s*(['"`])[^'"`]+)\.ts(\2,\s*import\.meta\.url\s*\))/g;

/** Compiles engine, workers, addon bridge, command line and demo into `out`, in the same folders as here. */
export function compile(out: string): void {
  step('tsc', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', out]);
  for (const entry of readdirSync(join(top, out), { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.js')) continue;
    const file = join(top, out, entry);
    const text = readFileSync(file, 'utf8');
    const mended = text.replace(fileByUrl, '$1.js$3');
    if (mended !== text) writeFileSync(file, mended);
  }
}
