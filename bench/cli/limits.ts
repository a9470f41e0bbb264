/** `bench limits`: a place for it, signals, and what it tells. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { programs } from '../../scripts/programs/places.ts';
import { top } from '../../scripts/steps.ts';
import { BenchError, CutShort } from '../bench-error.ts';
import { leftOfDisk } from '../conditions/held-disk.ts';
import { leftOfNetwork } from '../limits/network.ts';
import { runLimits } from '../limits/run.ts';
import { DirectoryPlace, leftOvers, requireDirectory } from '../workplace/directory.ts';
import { Interruption } from '../workplace/interruption.ts';
import { newRunId } from '../workplace/marker.ts';
import type { BenchIo } from './io.ts';
import { buildNative } from './measure.ts';

const roundsMax = 100;
const optionsSchema = z.object({
  target: z.string().optional(),
  only: z.string().optional(),
  rounds: z
    .string()
    .regex(/^[1-9]\d{0,2}$/)
    .transform(Number)
    .refine((rounds) => rounds <= roundsMax)
    .catch(() => {
      throw new BenchError(`--rounds: a number from 1 to ${roundsMax}`, 2);
    }),
  json: z.string().optional(),
});

/** As the bench's own runs have it: below build/ of a checkout, where one stands with a package. */
function baseOf(target: string | undefined): string {
  if (target !== undefined) {
    if (/^[a-z0-9]+:\/\//i.test(target))
      throw new BenchError(`--target: limits takes a directory, and null servers`, 2);
    return resolve(target);
  }
  const own = programs().packageTop === null ? join(top, 'build') : process.cwd();
  mkdirSync(own, { recursive: true });
  return own;
}

export async function benchLimits(given: unknown, io: BenchIo): Promise<number> {
  const { target, only, rounds, json } = optionsSchema.parse(given);
  buildNative();
  const base = baseOf(target);
  requireDirectory(base);
  for (const line of leftOvers(base)) io.progress.note(line);
  const place = DirectoryPlace.create(base, newRunId());
  const left = (): string[] =>
    [place.left(), leftOfNetwork(), leftOfDisk()].filter((line): line is string => line !== null);
  using interruption = new Interruption(left, (line) => io.progress.note(line));
  try {
    return await runLimits(
      {
        directory: place.path,
        rounds,
        ...(only === undefined ? {} : { only }),
        ...(json === undefined ? {} : { json }),
      },
      { signal: interruption.signal, out: (text) => io.out(text), progress: (what) => io.progress.step({ what }) },
    );
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    const reason: unknown = interruption.signal.reason;
    io.fail(`ended early: ${reason instanceof Error ? reason.message : String(reason)}`);
    return reason instanceof CutShort ? reason.code : 1;
  } finally {
    io.progress.clear();
    await place.remove();
  }
}
