/**
 * What an engine holds, seen from outside: descriptors, arenas, memory, handles, temporaries in its store. Tests of
 * failures end with `settled`: nothing may have leaked.
 */
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { expect } from 'vitest';
import type { TestEngine } from './engine.ts';

/** Waits for what another process does; the test's own time limit is the only one. */
export async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Where the descriptors of a process point to. */
export function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}

export function arenas(pid: number): number {
  return descriptors(pid).filter((link) => link.startsWith('/memfd:')).length;
}

/** Open files of images: lanes keep the root and LSUs open, of images nothing may stay. */
export function openImageFiles(engine: TestEngine): string[] {
  return descriptors(engine.pid).filter((link) => {
    const below = link.startsWith(`${engine.store}/`) ? link.slice(engine.store.length + 1) : '';
    return below.includes('/') || below.endsWith(' (deleted)');
  });
}

export function sockets(pid: number): number {
  return descriptors(pid).filter((link) => link.startsWith('socket:')).length;
}

/** Temporaries, unfinished creates and claims, below all LSUs. */
export function leftovers(store: string): string[] {
  if (!existsSync(store)) return [];
  const all = readdirSync(store, { recursive: true, encoding: 'latin1' });
  return all.filter((path) => !path.includes('.trash') && /(^|\/)(\.new-|\.meta-|\.claim-|\.lsu-|claim\.)/.test(path));
}

export interface Baseline {
  sockets: number;
}

/** Taken of an engine that nobody is connected to. */
export function baseline(engine: TestEngine): Baseline {
  return { sockets: sockets(engine.pid) };
}

/**
 * Waits until the engine holds nothing: that it never comes is the test's failure, by its time limit. Then: it serves,
 * it met no bug, it left nothing on storage.
 */
export async function settled(engine: TestEngine, from: Baseline, left: RegExp | null = null): Promise<void> {
  let last: unknown = null;
  const clean = async (): Promise<boolean> => {
    const { handles, memory, jobs } = await engine.status();
    last = { open: handles.open, used: memory.usedBytes, waiting: memory.waiting, jobs: jobs.length };
    return handles.open === 0 && memory.usedBytes === 0 && memory.waiting === 0 && jobs.length === 0;
  };
  const deadline = performance.now() + 30_000;
  const late = (what: unknown): boolean => {
    if (performance.now() > deadline) throw new Error(`the engine still holds ${JSON.stringify(what)}`);
    return false;
  };
  await until(async () => (await clean()) || late(last));
  const held = async () => {
    const { keptArenas } = (await engine.status()).memory;
    const open = arenas(engine.pid) - keptArenas;
    return { arenas: open, files: openImageFiles(engine), sockets: sockets(engine.pid) };
  };
  await until(async () => {
    const now = await held();
    return (now.arenas === 0 && now.files.length === 0 && now.sockets <= from.sockets) || late(now);
  });
  expect(leftovers(engine.store).filter((path) => left === null || !left.test(path))).toEqual([]);
  expect(engine.bugs()).toEqual([]);
}
