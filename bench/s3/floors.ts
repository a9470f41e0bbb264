/** Floors of the S3 part: bare sockets in C, and bare https. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asSample, type Subject } from '../subjects.ts';
import { caFile, type NullServer } from './servers.ts';

const run = promisify(execFile);
const partBytes = 64 << 20;

async function sampled(program: string, args: (string | number)[]): Promise<ReturnType<typeof asSample>> {
  const { stdout } = await run(program, args.map(String));
  return asSample(JSON.parse(stdout) as Parameters<typeof asSample>[0]);
}

/** A part of 64 MiB per request, `connections` of them in flight for each stream. */
export function wireFloor(discards: NullServer, connections: number): Subject {
  const program = join(import.meta.dirname, 'build/wire-floor');
  const args = (streams: number, bytes: number): number[] => [
    discards.port,
    streams * connections,
    Math.ceil((streams * bytes) / partBytes),
    partBytes,
  ];
  return {
    name: `floor, ${connections} in flight`,
    integrity: 'none',
    write: (streams, bytes) => sampled(program, ['put', ...args(streams, bytes)]),
    restore: (streams, bytes) => sampled(program, ['get', ...args(streams, bytes)]),
    clean: async () => undefined,
  };
}

export function httpsFloor(discards: NullServer, keeps: NullServer, connections: number): Subject {
  const script = join(import.meta.dirname, 'raw-https.ts');
  const sample = (direction: string, port: number, streams: number, bytes: number): ReturnType<typeof sampled> =>
    sampled(process.execPath, [
      script,
      direction,
      port,
      caFile,
      streams * connections,
      Math.ceil((streams * bytes) / partBytes),
      partBytes,
    ]);
  return {
    name: `floor, https, ${connections} in flight`,
    integrity: 'none but TLS',
    write: (streams, bytes) => sample('put', discards.tlsPort, streams, bytes),
    restore: (streams, bytes) => sample('get', keeps.tlsPort, streams, bytes),
    clean: async () => undefined,
  };
}
