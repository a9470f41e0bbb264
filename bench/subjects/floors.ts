/** The bare programs for backups and restores: the floors, and the plain plug-in. */
import { mkdirSync, rmSync } from 'node:fs';
import type { Measure, Role, Run, Subject } from '../run-context.ts';
import { bareSample } from './programs.ts';

interface Bare {
  readonly name: string;
  readonly role: Role;
  readonly modes: readonly [write: string, restore: string];
  readonly depth: readonly number[];
  readonly copies?: true;
}

const integrity = 'nothing; O_DIRECT; fsyncs of a complete image';

function bareSubject(run: Run, directory: string, { name, role, modes, depth, copies }: Bare): Subject {
  const [write, restore] = modes;
  const measure = (workload: 'write' | 'restore', mode: string): Measure => ({
    workload,
    unit: 'B/s',
    take: ({ streams, bytesPerStream }) => {
      mkdirSync(directory, { recursive: true });
      return bareSample(run, 'floor', [mode, directory, streams, bytesPerStream, ...depth]);
    },
  });
  return {
    name,
    role,
    mode: null,
    integrity,
    ...(copies === undefined ? {} : { copies }),
    measures: [measure('write', write), measure('restore', restore)],
    clean: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** O_DIRECT in blocks of 64 MiB, `depth` of them in flight, and the fsyncs of a complete image. */
export function floorSubject(run: Run, directory: string, depth: number): Subject {
  return bareSubject(run, directory, {
    name: `floor, ${depth} in flight`,
    role: 'floor',
    modes: ['write', 'read'],
    depth: [depth],
  });
}

/**
 * What a plug-in has to do at least: each byte is copied once, past the caches, while `depth` other blocks of three are on
 * their way; the same fsyncs.
 */
export function copyFloorSubject(run: Run, directory: string, depth: number): Subject {
  return bareSubject(run, directory, {
    name: `floor with copy, ${depth} in flight`,
    role: 'floor',
    modes: ['copy-write', 'copy-read'],
    depth: [depth],
    copies: true,
  });
}

/** The specification's pseudo code in C: 256 KiB buffers copied into a block, which is written when it is full. */
export function plainSubject(run: Run, directory: string): Subject {
  return bareSubject(run, directory, {
    name: 'plain plug-in',
    role: 'plain',
    modes: ['plain-write', 'plain-read'],
    depth: [],
  });
}
