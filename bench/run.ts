/** `npm run bench`, `vast-ost bench`: see bench/cli/program.ts, or --help. */
import { processIo } from './cli/io.ts';
import { version } from './cli/measure.ts';
import { runProgram } from './cli/program.ts';

// A reader of a pipe that goes away must not end a run before it has cleaned up.
process.stdout.on('error', () => {});
process.exitCode = await runProgram(process.argv.slice(2), version(), processIo());
