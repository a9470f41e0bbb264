/** Whether an endpoint shows the storage that the bucket was opened on: bytes of one image must not go to several. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { withoutBare404 } from './answers.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { failureClasses, isBug, verdictOf, WrongAnswer } from './failures.ts';

export interface SameStore {
  readonly key: string;
  readonly timeoutMs: number;
  /** Null: it is the same. */
  problemWith(shown: string | null): string | null;
}

/** A small object at one endpoint, asked for once. Null: it has none; undefined: it does not answer. */
export async function shownBy(client: EndpointClient, what: Shown): Promise<string | null | undefined> {
  try {
    return await askedFor(client, what);
  } catch (error) {
    if (isBug(error)) throw error;
    return undefined;
  }
}

interface Shown {
  bucket: string;
  key: string;
  timeoutMs: number;
}

/** Null: it has none. */
async function askedFor(client: EndpointClient, { bucket, key, timeoutMs }: Shown): Promise<string | null> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key });
  try {
    const { Body } = await client.send(command, { signal: AbortSignal.timeout(timeoutMs) });
    return (await Body?.transformToString()) ?? '';
  } catch (error) {
    if (isBug(error)) throw error;
    const { name } = withoutBare404(command, verdictOf(error));
    if (name === 'noObject' || name === 'noBucket') return null;
    throw error;
  }
}

/** Of an endpoint that does not answer at once. */
const triesMax = 3;
const waitMs = 50;

/**
 * Throws WrongAnswer for an endpoint of another storage; and for one that does not show which it is what it failed with:
 * it is not to be used either.
 */
export async function demandStore(
  client: EndpointClient,
  bucket: string,
  { key, timeoutMs, problemWith }: SameStore,
): Promise<void> {
  const problem = problemWith(await surely(() => askedFor(client, { bucket, key, timeoutMs })));
  if (problem !== null) throw new WrongAnswer('WrongStore', problem, '');
}

async function surely<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (isBug(error) || tries === triesMax || failureClasses[verdictOf(error).name].kind !== 'again') throw error;
      await sleep(tries * waitMs);
    }
  }
}
