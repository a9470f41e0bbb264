/**
 * An engine whose memory is that of a delivered one. Run from TypeScript for the first time every thread holds a compiler
 * of 9 MB; packages are compiled, and a second start from the sources finds the first one's compile cache.
 */
import { join } from 'node:path';
import { type EngineOptions, TestEngine } from '../support/engine.ts';
import { lsu } from './stream.ts';

export const compileCache = join(import.meta.dirname, '../../.cache/node');

/** With the LSU `load`. Each kind of lane has worked, the engine was stopped (that writes the cache) and started again. */
export async function startCompiled(config: EngineOptions['config']): Promise<TestEngine> {
  await using unlessReady = new AsyncDisposableStack();
  const engine = unlessReady.use(await TestEngine.start({ config, env: { NODE_COMPILE_CACHE: compileCache } }));
  {
    await using host = await engine.script();
    await host.ok(`create_lsu v ${lsu}`);
    await host.ok(`create_image v i ${lsu} first 7`);
    await host.ok('write i 0 4096 1');
    await host.ok('close i complete');
    await host.ok(`open_image v r ${lsu} first 7 read`);
    await host.ok('read r 0 4096');
    await host.ok('close r 0');
    await host.ok(`delete v ${lsu} first 7`);
    await host.ok('close_server v');
  }
  await engine.stop();
  await engine.launch();
  unlessReady.move();
  return engine;
}
