/** Whether an endpoint shows the storage that the bucket was opened on: bytes of one image must not go to several. */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { withoutBare404 } from './answers.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { isBug, verdictOf, WrongAnswer } from './failures.ts';

export interface SameStore {
  readonly key: string;
  readonly timeoutMs: number;
  /** Null: it is the same. */
  problemWith(shown: string | null): string | null;
}

/** A small object at one endpoint, asked for once. Null: it has none; undefined: it does not answer. */
export async function shownBy(
  client: EndpointClient,
  { bucket, key, timeoutMs }: { bucket: string; key: string; timeoutMs: number },
): Promise<string | null | undefined> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key });
  try {
    const { Body } = await client.send(command, { signal: AbortSignal.timeout(timeoutMs) });
    return (await Body?.transformToString()) ?? '';
  } catch (error) {
    if (isBug(error)) throw error;
    const { name } = withoutBare404(command, verdictOf(error));
    return name === 'noObject' || name === 'noBucket' ? null : undefined;
  }
}

/** Throws WrongAnswer for an endpoint of another storage; one that says nothing now is judged by its probe. */
export async function demandStore(
  client: EndpointClient,
  bucket: string,
  { key, timeoutMs, problemWith }: SameStore,
): Promise<void> {
  const text = await shownBy(client, { bucket, key, timeoutMs });
  const problem = text === undefined ? null : problemWith(text);
  if (problem !== null) throw new WrongAnswer('WrongStore', problem, '');
}
