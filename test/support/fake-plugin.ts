/** The host program with its fake plug-in (native/host/test): no engine, images are plain files in a directory. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostRun, hostDirectory, runHost } from './host-program.ts';

export class FakePlace implements Disposable {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'vast-ost-host-'));
    mkdirSync(join(this.path, 'store/default'), { recursive: true });
    const plugin = process.env.VAST_OST_FAKE_PLUGIN ?? join(hostDirectory, 'build/libfakeplugin.so');
    this.env = { VAST_OST_PLUGIN: plugin, FAKE_STORE: join(this.path, 'store') };
  }
  file(name: string): string {
    return join(this.path, name);
  }
  /** A command with --json; `fault`: see native/host/test/fake.h. */
  async run(args: string[], options: { fault?: string; input?: Uint8Array | string } = {}): Promise<HostRun> {
    const env = options.fault === undefined ? this.env : { ...this.env, FAKE_FAULT: options.fault };
    return await runHost([...args, '--json'], env, options.input);
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
