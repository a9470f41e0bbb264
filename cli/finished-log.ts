/** The last summary lines of an engine's log, read from its end. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { type FinishedJob, finishedJobSchema } from '../engine/core/shares.ts';

/** A log may be huge: what lies further back is not looked at. */
export const logBytesMax = 64 * 1_000_000;
const chunkBytes = 256 * 1024;
const jobsMax = 1000;
/** A summary is far shorter; a line without an end is not kept. */
const lineBytesMax = 64 * 1024;

const modes = { 'image written': 'write', 'image read': 'read', 'image copied': 'copy' } as const;
const lineSchema = finishedJobSchema
  .omit({ mode: true, endedAt: true })
  .extend({ msg: z.enum(['image written', 'image read', 'image copied']), time: z.string() });

/** The last one first. Throws where the file cannot be read. */
export function lastJobsInLog(file: string): FinishedJob[] {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const jobs: FinishedJob[] = [];
    let rest = Buffer.alloc(0);
    for (let end = size; end > Math.max(0, size - logBytesMax) && jobs.length < jobsMax; ) {
      const from = Math.max(0, end - chunkBytes);
      const chunk = Buffer.alloc(end - from);
      const got = readSync(descriptor, chunk, 0, chunk.length, from);
      // What stands in front of the first line feed goes on in the chunk before.
      const all = Buffer.concat([chunk.subarray(0, got), rest]);
      const first = from === 0 ? -1 : all.indexOf(10);
      const isCut = from > 0 && first < 0;
      rest = all.subarray(0, isCut ? lineBytesMax : first + 1);
      // Too long for a summary, whatever stands in front: nothing is kept of it but its end.
      if (rest.length > lineBytesMax) rest = rest.subarray(-1);
      if (!isCut) take(all.subarray(first + 1), jobs);
      end = from;
    }
    return jobs;
  } finally {
    closeSync(descriptor);
  }
}

function take(bytes: Buffer, jobs: FinishedJob[]): void {
  for (const text of bytes.toString('utf8').split('\n').toReversed()) {
    if (jobs.length >= jobsMax) return;
    if (!text.includes('"shares"')) continue;
    const job = jobOf(text);
    if (job !== null) jobs.push(job);
  }
}

function jobOf(text: string): FinishedJob | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const line = lineSchema.safeParse(parsed);
  if (!line.success) return null;
  const { msg, time, ...job } = line.data;
  return { ...job, mode: modes[msg], endedAt: time };
}
