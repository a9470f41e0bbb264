/** vast-ostd: reads the configuration, serves its socket, stops on SIGTERM or SIGINT. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { addon } from '../native/addon/index.ts';
import { openLog } from './admin/log.ts';
import { ConfigError, defaultConfigPath, loadConfig } from './config.ts';
import { cpusText } from './config-forms.ts';
import { Engine } from './coordinator/engine.ts';
import { guardFileCalls } from './intake/file-guard.ts';
import { ListenError, listen } from './intake/listener.ts';

const exitUsage = 2;
const exitFailed = 1;

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function options(): { config: string | null } {
  const { values } = parseArgs({
    options: { config: { type: 'string', short: 'c' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write(
      'usage: vast-ostd [--config FILE]\nWithout --config: $VAST_OST_CONF, else the default place.\n',
    );
    process.exit(0);
  }
  return { config: values.config ?? null };
}

/**
 * All threads that there are, V8's own among them; those that come inherit it. Memory of arenas follows by itself: a page
 * lies on the node of the processor that touches it first, and lanes make them ready.
 */
function runOn(cpus: readonly number[], source: string | null): void {
  const result = addon.setAffinity(Int32Array.from(cpus));
  if (result < 0) {
    const text = `cpus = ${cpusText(cpus)}: the kernel refuses (errno ${-result})`;
    throw new ConfigError(source ?? defaultConfigPath, [
      { line: 0, text, remedy: 'name other processors, or write all' },
    ]);
  }
}

/** Modes of what lies in the store are 0640 and 0750, whatever the umask of whoever starts the engine. */
const umask = 0o027;

async function main(): Promise<void> {
  process.umask(umask);
  const config = loadConfig(options().config, process.env);
  const release = version();
  if (config.engine.cpus !== null) runOn(config.engine.cpus, config.source);
  const log = openLog({ level: config.logging.level, file: config.logging.file });
  const engine = new Engine(config, log, release);
  const listener = await listen(config.engine.socket, config.engine.socketMode, engine);
  guardFileCalls(addon, [config.logging.file]);
  process.on('SIGHUP', () => void log.reopen());
  // What nobody caught leaves the coordinator in an unknown state: images stay pending, and resumable by a new engine.
  process.on('uncaughtException', (error) => {
    log.direct();
    log.root.fatal({ err: error }, 'bug: the engine ends itself');
    addon.killSelf();
  });
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.root.info({ signal }, 'engine stops');
    listener.close();
    const clean = await engine.stop(config.engine.drainS * 1000);
    log.root.info({ clean }, 'engine stopped');
    await log.flush();
    // A lane that hangs in a system call makes every orderly exit hang too.
    if (!clean) addon.killSelf();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));

  // It serves already: whoever stops it now must find it ready to stop in good order.
  await engine.start();
  log.root.info({ socket: config.engine.socket, config: config.source, version: release }, 'engine ready');
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, socket: config.engine.socket })}\n`);
}

main().catch((error: unknown) => {
  const expected = error instanceof ConfigError || error instanceof ListenError;
  const text = expected ? error.message : String((error as Error).stack ?? error);
  process.stderr.write(`vast-ostd: ${text}\n`);
  process.exit(error instanceof ConfigError ? exitUsage : exitFailed);
});
