/** Floors of the S3 part: bare sockets in C, and bare https. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Load, Measure, Run, Subject, Taken } from '../run-context.ts';
import { accounted, runProgram } from '../subjects/programs.ts';
import { caFile, type NullServer } from './servers.ts';

const partBytes = 64 << 20;

interface Told {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpu_s: number;
}

function sampled(run: Run, program: string, args: readonly (string | number)[]): Promise<Taken> {
  return accounted([], async () => {
    const { bytes, seconds, cpu_s } = JSON.parse(await runProgram(run.signal, program, args)) as Told;
    return { value: bytes / seconds, seconds, bytes, hostCpu: cpu_s };
  });
}

function floor(
  name: string,
  integrity: string,
  take: (direction: 'put' | 'get', load: Load) => Promise<Taken>,
): Subject {
  const measure = (workload: 'write' | 'restore', direction: 'put' | 'get'): Measure => ({
    workload,
    unit: 'B/s',
    take: (load) => take(direction, load),
  });
  return { name, role: 'floor', mode: null, integrity, measures: [measure('write', 'put'), measure('restore', 'get')] };
}

function parts({ streams, bytesPerStream }: Load): number {
  return Math.ceil((streams * bytesPerStream) / partBytes);
}

/** A part of 64 MiB per request, `connections` of them in flight for each stream. */
export function wireFloor(run: Run, discards: NullServer, connections: number): Subject {
  const program = join(import.meta.dirname, 'build/wire-floor');
  return floor(`floor, ${connections} in flight`, 'nothing', (direction, load) =>
    sampled(run, program, [direction, discards.port, load.streams * connections, parts(load), partBytes]),
  );
}

export function httpsFloorName(connections: number): string {
  return `floor, https, ${connections} in flight`;
}

export function httpsFloor(run: Run, discards: NullServer, keeps: NullServer, connections: number): Subject {
  const script = fileURLToPath(new URL('./raw-https.ts', import.meta.url));
  return floor(httpsFloorName(connections), 'nothing but TLS', (direction, load) => {
    const { tlsPort } = direction === 'put' ? discards : keeps;
    const args = [script, direction, tlsPort, caFile, load.streams * connections, parts(load), partBytes];
    return sampled(run, process.execPath, args);
  });
}
