import { ConfigError, describeProblem, loadConfig } from '../engine/config.ts';
import { configText } from '../engine/config-text.ts';
import { type CliIo, exitCode } from './io.ts';

/** Prints the configuration in force, or everything that is wrong with it. */
export async function checkConfig(file: string | null, io: CliIo): Promise<number> {
  try {
    const config = loadConfig(file, io.env);
    await io.out(`# ${config.source ?? 'no file: all defaults'}; "automatic" is resolved for this machine\n`);
    await io.out(configText(config));
    return exitCode.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) io.fail(describeProblem(error.path, problem));
    return exitCode.failed;
  }
}
