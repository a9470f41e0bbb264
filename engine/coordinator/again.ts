/** The one place that tries again: what transfer/retry.ts calls *again*, a few times, with growing waits. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Op, op } from '../core/order.ts';
import type { LaneOrder, LaneResult } from '../lanes/lane-order.ts';
import type { PayloadLanes } from '../lanes/mount-lanes.ts';
import { Backoff, classify } from '../transfer/retry.ts';

/** Some seconds in all: longer outages are the mount's own affair (`hard`), shorter ones no job should feel. */
const tries = 6;
const baseMs = 50;
const maxMs = 2000;

export function newBackoff(): Backoff {
  return new Backoff({ tries, baseMs, maxMs, random: Math.random, clock: () => performance.now() });
}

/** Waits for the next try. False: give up. */
export async function pause(backoff: Backoff): Promise<boolean> {
  const delay = backoff.next();
  if (delay === null) return false;
  await wait(delay);
  return true;
}

/** Orders that may be carried out twice: the same bytes to the same place. A SHA state would count bytes twice. */
const repeatable: ReadonlySet<Op> = new Set<Op>([
  op.write,
  op.writeEdge,
  op.read,
  op.splitPiece,
  op.copyRange,
  op.verify,
]);

/** A payload order, tried again while the storage says that it will recover. The last result counts. */
export async function runOrder(lanes: PayloadLanes, order: LaneOrder, handle: number): Promise<LaneResult> {
  let result = await lanes.run(order, handle);
  let again = 0;
  if (result.result >= 0 || !repeatable.has(order.op)) return result;
  const backoff = newBackoff();
  while (result.result < 0 && classify(result.result).kind === 'again' && (await pause(backoff))) {
    result = await lanes.run(order, handle);
    again++;
  }
  return { ...result, retries: result.retries + again };
}
