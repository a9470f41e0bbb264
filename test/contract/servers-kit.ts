/** Storage roots of more than one storage server beside each other, for tests of engines that have several. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StatusServer } from '../../engine/core/status-report.ts';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';
import type { TestEngine } from '../support/engine.ts';

/** A directory that is a storage root, or with `marked` false would be one. */
export function makeRoot(directory: string, name: string, marked = true): string {
  const root = join(directory, name);
  mkdirSync(root, { recursive: true });
  if (marked) markRoot(root);
  return root;
}

export function markRoot(root: string): void {
  writeFileSync(join(root, '.vast-ost-store'), encodeMarker(newMarker(new Date(0))));
}

/** What status says of one storage server. */
export async function serverStatus(engine: TestEngine, name: string): Promise<StatusServer | undefined> {
  return (await engine.status()).servers.find((server) => server.name === name);
}
