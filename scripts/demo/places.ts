/** Where the parts of the program are: in a checkout, or in an unpacked package (bin/demo says so). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Programs, programs } from '../programs/places.ts';
import { top } from '../steps.ts';

export interface Places extends Programs {
  /** An S3 endpoint of the checkout's own; null: a package carries none. */
  testEndpoint: string | null;
  /** A big tree of files that is always there, for the demo. */
  ownTree: string;
  /** How a reader starts the programs, as he would type it. */
  typed: { engine: string; cli: string; host: string; testEndpoint: string; demo: string };
}

export function places(): Places {
  const found = programs();
  const { packageTop, engineMain, cliMain, hostProgram } = found;
  if (packageTop !== null) {
    const bin = join(packageTop, 'bin');
    return {
      ...found,
      testEndpoint: null,
      ownTree: packageTop,
      typed: {
        engine: join(bin, 'vast-ostd'),
        cli: join(bin, 'vast-ost'),
        host: hostProgram,
        testEndpoint: '',
        demo: join(bin, 'demo'),
      },
    };
  }
  const testEndpoint = join(top, 'test/s3/server/main.ts');
  const run = `node ${join(top, 'scripts/run.mjs')}`;
  return {
    ...found,
    testEndpoint,
    ownTree: join(top, 'node_modules'),
    typed: {
      engine: `${run} ${engineMain}`,
      cli: `${run} ${cliMain}`,
      host: hostProgram,
      testEndpoint: `${run} ${testEndpoint}`,
      demo: 'npm run demo --',
    },
  };
}

/** Trees that nearly every Linux system has, then our own. */
export function treeTops(own: string): { name: string; path: string }[] {
  const system = ['/usr/share', '/usr/lib', '/usr/include', '/usr/bin', '/usr/lib64', '/usr/local', '/opt'];
  const all = system.map((path) => ({ name: path.slice(1).replaceAll('/', '-'), path }));
  return [...all, { name: 'vast-ost', path: own }].filter(({ path }) => existsSync(path));
}
