/** What the demo writes for its engine, and how it runs the other programs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { keepRunning } from '../programs/running.ts';

export interface EngineFiles {
  config: string;
  root: string;
  socket: string;
  log: string;
}

/** `more`: sections behind those of the demo's own storage root. */
export function writeConfig({ config, root, socket, log }: EngineFiles, more: string): void {
  const text = `# Written by the demo. A storage root on this disk: require_mount is off, on a media server it stays on.
[general]
nfs_mount_point = ${root}

[logging]
log_file = ${log}

[engine]
socket = ${socket}
max_memory_mb = 1024
require_mount = false
${more === '' ? '' : `\n${more}`}`;
  writeFileSync(config, text);
}

/** True when the process ended with code 0; its words otherwise. */
export async function runOnce(command: string, args: string[]): Promise<{ ok: boolean; text: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const forget = keepRunning(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  forget();
  return { ok: code === 0, text };
}
