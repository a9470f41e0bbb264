/**
 * The real engine with lanes that touch no storage: what coordinator, links, rings, planner and checksums carry when no
 * device slows them down. Only the bench starts it; the engine that is shipped has no way to these lanes.
 *
 * It insists on `store = memory`: an image that nobody kept must never stand in a store that somebody restores from.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openLog } from '../../engine/admin/log.ts';
import { loadConfig } from '../../engine/config.ts';
import { Engine } from '../../engine/coordinator/engine.ts';
import { listen } from '../../engine/intake/listener.ts';

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const lanePath = fileURLToPath(new URL(`./lane-main.${ending}`, import.meta.url));

const path = parseArgs({ options: { config: { type: 'string' } } }).values.config;
if (path === undefined) throw new Error('usage: engine-main --config FILE');
const config = loadConfig(path, {});
if (config.engine.store !== 'memory' || config.servers.length > 0) {
  throw new Error(`${path}: the discarding engine takes [engine] store = memory and no [server:NAME]`);
}
const log = openLog({ level: config.logging.level, file: config.logging.file });
const engine = new Engine(config, log, 'discard', lanePath);
const listener = await listen(config.engine.socket, config.engine.socketMode, engine);
process.once('SIGTERM', async () => {
  listener.close();
  const clean = await engine.stop(config.engine.drainS * 1000);
  await log.flush();
  process.exit(clean ? 0 : 1);
});
await engine.start();
process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, socket: config.engine.socket })}\n`);
