/**
 * `.vast-ost-store` in the storage root: this tree is a store of ours, and which. Made once by `vast-ost init-store`.
 * Where it is missing, the root is not mounted (or never was prepared), and nothing is written there.
 */
import { randomBytes } from 'node:crypto';

export const markerName = '.vast-ost-store';
export const markerFormat = 1;
export const markerBytesMax = 1024;

export interface Marker {
  /** 32 hex digits; all mounts of one storage server show the same. */
  readonly storeId: string;
  /** ISO 8601, UTC; for people. */
  readonly createdAt: string;
}

export function newMarker(now: Date): Marker {
  return { storeId: randomBytes(16).toString('hex'), createdAt: now.toISOString() };
}

export function encodeMarker(marker: Marker): string {
  const fields = { format: markerFormat, store_id: marker.storeId, created_at: marker.createdAt };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

export function decodeMarker(text: string): { ok: true; marker: Marker } | { ok: false; field: string; text: string } {
  const refuse = (field: string, why: string) => ({ ok: false as const, field, text: why });
  if (text.length > markerBytesMax) return refuse('json', `longer than ${markerBytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('json', 'not JSON');
  }
  if (typeof value !== 'object' || value === null) return refuse('json', 'not a JSON object');
  const fields = value as Record<string, unknown>;
  if (fields.format !== markerFormat) {
    return refuse('format', `is ${JSON.stringify(fields.format) ?? 'missing'}, this engine reads ${markerFormat}`);
  }
  const { store_id: storeId, created_at: createdAt } = fields;
  if (typeof storeId !== 'string' || !/^[0-9a-f]{32}$/.test(storeId))
    return refuse('store_id', 'must be 32 hex digits');
  if (typeof createdAt !== 'string' || !/^[0-9TZ:.+-]{1,40}$/.test(createdAt))
    return refuse('created_at', 'must be a time');
  return { ok: true, marker: { storeId, createdAt } };
}
