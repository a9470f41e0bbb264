/** `vast-ost gc`: removes from a bucket what no image owns: uploads, objects and claims that dead owners left. */

import { randomBytes } from 'node:crypto';
import type { SweepItem } from '../engine/core/store.ts';
import { processAlive, readIdentity } from '../engine/image/claim.ts';
import { isCondemned, type Judge } from '../engine/image/condemned.ts';
import { parseLsuDirName } from '../engine/image/names.ts';
import { ownedToken } from '../engine/image/owner.ts';
import { s3SettingsOf } from '../engine/s3-settings-of.ts';
import { openStore } from '../workers/s3/open-store.ts';
import { probeRemains } from '../workers/s3/probe-remains.ts';
import type { S3Store } from '../workers/s3/s3-store.ts';
import { StoreError } from '../workers/store.ts';
import { CliError, type CliIo, exitCode, parseAge } from './io.ts';
import { serverOf } from './probe.ts';

export interface GcOptions {
  readonly config?: string;
  readonly dryRun?: boolean;
  /** "1d": what says nothing of its owner is removed from this age on. */
  readonly olderThan?: string;
  readonly json?: boolean;
}

const defaultAge = '1d';
const itemsPerStep = 64;

type Kind = SweepItem['kind'] | 'probe';

const words: Readonly<Record<Kind, string>> = {
  trash: 'a removal that was cut short',
  removal: 'a removal that was cut short',
  create: 'an image that was never there',
  orphan: 'objects of an image that lost its meta',
  metaTemporary: 'a temporary',
  claimTemporary: 'a temporary',
  labelTemporary: 'a temporary',
  claim: 'the claim of a dead writer',
  remains: 'what a complete image does not need',
  upload: 'an upload that no image knows',
  probe: 'a question to an endpoint',
};

interface Found {
  /** '': above all LSUs. */
  readonly lsu: string;
  readonly path: string;
  readonly kind: Kind;
  readonly action: 'removed' | 'would remove' | 'changed meanwhile' | 'left: its owner may live';
}

/** Exit code 0 also when there is nothing. Throws CliError. */
export async function collectGarbage(name: string, options: GcOptions, io: CliIo): Promise<number> {
  const age = parseAge(options.olderThan ?? defaultAge);
  if (age === null) {
    throw new CliError(
      `--older-than ${options.olderThan}: write a number and s, m, h, d or w, such as 7d`,
      exitCode.usage,
    );
  }
  const judge = {
    self: readIdentity(),
    alive: processAlive,
    now: Date.now() / 1000,
    ownerlessAgeS: age,
    byHand: true,
    severalMounts: false,
  };
  const store = openStore(s3SettingsOf(serverOf(name, options)));
  const counts = { removed: 0, left: 0 };
  try {
    await store.openRoot({ root: '', requireMount: false, direct: false });
    for await (const found of all(store, judge, options.dryRun === true)) {
      if (found.action === 'removed' || found.action === 'would remove') counts.removed++;
      else if (found.action === 'left: its owner may live') counts.left++;
      await io.out(options.json ? `${JSON.stringify(found)}\n` : `${lineOf(found)}\n`);
    }
  } catch (error) {
    if (error instanceof StoreError) throw new CliError(error.failure.text ?? error.message);
    throw error;
  } finally {
    await store.close();
  }
  if (!options.json) await io.out(summary(counts, options.dryRun === true));
  return exitCode.ok;
}

function lineOf({ action, lsu, path, kind }: Found): string {
  // An upload's id is the endpoint's word.
  return `${action}: ${lsu === '' ? '' : `${lsu}/`}${path.replace(/[^\x20-\x7e]/g, '?')} (${words[kind]})`;
}

function summary({ removed, left }: { removed: number; left: number }, dryRun: boolean): string {
  if (removed + left === 0) return 'nothing is left over\n';
  const kept = left === 0 ? '' : `; ${left} left, whose owners may live`;
  return `${removed} ${dryRun ? 'would be removed' : 'removed'}${kept}\n`;
}

async function* lsusOf(store: S3Store): AsyncGenerator<string> {
  const { list } = await store.openNames({ lsu: null });
  try {
    for (;;) {
      const { names } = await store.nextNames({ list, lsu: null, max: 1000, meta: false });
      if (names.length === 0) return;
      for (const { name } of names) if (parseLsuDirName(name) !== null) yield name;
    }
  } finally {
    await store.closeNames({ list });
  }
}

async function* all(store: S3Store, judge: Judge, dryRun: boolean): AsyncGenerator<Found> {
  for await (const lsu of lsusOf(store)) yield* sweep(store, lsu, judge, dryRun);
  for await (const { path, modifiedAt, remove } of probeRemains(store.objects)) {
    // Some engine may be asking at this moment.
    if (judge.now - modifiedAt < judge.ownerlessAgeS) continue;
    if (!dryRun) await remove();
    yield { lsu: '', path, kind: 'probe', action: dryRun ? 'would remove' : 'removed' };
  }
}

async function* sweep(store: S3Store, lsu: string, judge: Judge, dryRun: boolean): AsyncGenerator<Found> {
  const token = ownedToken(randomBytes(16).toString('hex'), judge.self);
  let list = -1;
  do {
    const step = await store.sweepList({ lsu, list, max: itemsPerStep });
    list = step.list;
    for (const item of step.items) {
      const { path, kind, claim } = item;
      if (!isCondemned(item, judge)) {
        // A claim of a living writer is no garbage, and nothing to tell of.
        if (kind !== 'claim') yield { lsu, path, kind, action: 'left: its owner may live' };
        continue;
      }
      if (dryRun) {
        yield { lsu, path, kind, action: 'would remove' };
        continue;
      }
      const { removed } = await store.sweepRemove({ lsu, items: [{ path, claim }], max: 1, token });
      yield { lsu, path, kind, action: removed.length > 0 ? 'removed' : 'changed meanwhile' };
    }
  } while (list >= 0);
}
