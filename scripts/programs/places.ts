/** Where the programs are: in a checkout, or in an unpacked package (its launchers say so by VAST_OST_PACKAGE). */
import { join } from 'node:path';
import { top } from '../steps.ts';

export interface Programs {
  /** Top of the unpacked package; null: a checkout. */
  packageTop: string | null;
  engineMain: string;
  cliMain: string;
  hostProgram: string;
}

export function programs(): Programs {
  const packageTop = process.env.VAST_OST_PACKAGE ?? null;
  const kind = packageTop === null ? 'ts' : 'js';
  return {
    packageTop,
    engineMain: join(top, `engine/main.${kind}`),
    cliMain: join(top, `cli/main.${kind}`),
    hostProgram:
      packageTop === null ? join(top, 'native/host/build/vast-ost-host') : join(packageTop, 'bin/vast-ost-host'),
  };
}
