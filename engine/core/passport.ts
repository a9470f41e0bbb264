/**
 * What an endpoint really does, found by asking it, and by sending it wrong things: its passport. A JSON file that one
 * can read and compare: `vast-ost probe`.
 */
import { z } from 'zod';

/** verified: the right one is taken and a wrong one refused. ignored: both are taken. refused: even the right one. */
const check = z.enum(['verified', 'ignored', 'refused']);
const ability = z.enum(['works', 'refused']);
/** honoured: refused when the condition does not hold. ignored: in silence. */
const condition = z.enum(['honoured', 'ignored', 'refused']);

export const endpointPassport = z.strictObject({
  endpoint: z.string(),
  tls: z.enum(['none', 'verified', 'not verified']),
  /** CRC-64/NVME of an object, of a part, and of the whole object at Complete. */
  crc64nvmePut: check,
  crc64nvmePart: check,
  crc64nvmeObject: check,
  contentMd5Put: check,
  contentMd5Part: check,
  /** x-amz-content-sha256 over the payload. */
  signedPayload: check,
  /** A payload that only its checksum protects. */
  unsignedPayload: ability,
  ifNoneMatch: condition,
  ifMatch: condition,
  copyPart: ability,
  rangedGet: ability,
  /** Part number 10,000 is taken. */
  part10000: ability,
  /** Where it is refused, the highest that is taken. */
  partsMax: z.int().min(1).max(9999).optional(),
  metadata2k: ability,
});

export const passport = z.strictObject({
  format: z.literal(1),
  bucket: z.string(),
  prefix: z.string(),
  /** ISO 8601, UTC. */
  probedAt: z.string(),
  endpoints: z.array(endpointPassport).min(1),
});

export type Check = z.infer<typeof check>;
export type EndpointPassport = z.infer<typeof endpointPassport>;
export type Passport = z.infer<typeof passport>;

/** How bytes are protected on their way: the cheapest that the endpoint really checks. */
export type Integrity = 'crc64nvme' | 'sha256' | 'md5';

/** What a bucket's endpoints can all do. */
export interface Abilities {
  readonly integrity: Integrity;
  /** The cheapest without an x-amz-checksum header: of uploads that were begun without. */
  readonly withoutCrc: Exclude<Integrity, 'crc64nvme'>;
  /** CRC-64/NVME of the whole object is taken at Complete. */
  readonly objectCrc: boolean;
  /** PUT with If-None-Match and If-Match is honoured. */
  readonly conditionalPut: boolean;
  readonly copyPart: boolean;
  /** Objects may carry the labels of their image. */
  readonly labels: boolean;
  readonly partsMax: number;
}

export const s3PartsMax = 10_000;
/** Of an endpoint that refused number 10,000 and was not asked further. */
const fewPartsMax = 1000;

function partsMaxOf({ part10000, partsMax }: EndpointPassport): number {
  return part10000 === 'works' ? s3PartsMax : (partsMax ?? fewPartsMax);
}

function has(all: readonly EndpointPassport[], name: keyof EndpointPassport, value: string): boolean {
  return all.every((one) => one[name] === value);
}

/**
 * The weakest endpoint counts: a request may go to any of them. CRC-64/NVME is nearly free, the signed SHA-256 comes
 * next (processors have instructions for it), then MD5. Where nothing at all is verified, the payload is signed all the
 * same, and `unsafe` says so.
 */
export function abilitiesOf({ endpoints }: Passport): Abilities & { unsafe: boolean } {
  const crc = (['crc64nvmePut', 'crc64nvmePart'] as const).every((name) => has(endpoints, name, 'verified'));
  const unsigned = has(endpoints, 'unsignedPayload', 'works');
  const md5 = has(endpoints, 'contentMd5Put', 'verified') && has(endpoints, 'contentMd5Part', 'verified');
  const sha = has(endpoints, 'signedPayload', 'verified');
  const withoutCrc = !sha && md5 && unsigned ? 'md5' : 'sha256';
  const integrity = crc && unsigned ? 'crc64nvme' : withoutCrc;
  return {
    integrity,
    withoutCrc,
    unsafe: integrity === 'sha256' && !sha,
    objectCrc: endpoints.every((one) => one.crc64nvmeObject !== 'refused'),
    conditionalPut: has(endpoints, 'ifNoneMatch', 'honoured') && has(endpoints, 'ifMatch', 'honoured'),
    copyPart: has(endpoints, 'copyPart', 'works'),
    labels: has(endpoints, 'metadata2k', 'works'),
    partsMax: Math.min(...endpoints.map(partsMaxOf)),
  };
}

/** What an administrator should know. */
export function warningsOf(found: Passport): string[] {
  const { unsafe, conditionalPut } = abilitiesOf(found);
  const warnings: string[] = [];
  if (unsafe)
    warnings.push(
      'the endpoints check no checksum of what they are sent: bytes changed on their way stay unseen until they are read',
    );
  if (!conditionalPut)
    warnings.push('the endpoints do not honour conditional puts: only one engine may write to this bucket');
  return warnings;
}

export interface Difference {
  /** Such as 'http://10.0.0.1:80: ifNoneMatch'. */
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

/** When they were made does not count. */
export function passportDiff(before: Passport, after: Passport): Difference[] {
  const differences: Difference[] = [];
  const note = (what: string, a: unknown, b: unknown): void => {
    if (a !== b) differences.push({ what, before: String(a ?? 'none'), after: String(b ?? 'none') });
  };
  note('bucket', before.bucket, after.bucket);
  note('prefix', before.prefix, after.prefix);
  const names = new Set([...before.endpoints, ...after.endpoints].map(({ endpoint }) => endpoint));
  for (const name of names) {
    const [a, b] = [before, after].map(({ endpoints }) => endpoints.find(({ endpoint }) => endpoint === name));
    if (a === undefined || b === undefined) note(name, a && 'there', b && 'there');
    else
      for (const key of Object.keys(endpointPassport.shape) as (keyof EndpointPassport)[])
        note(`${name}: ${key}`, a[key], b[key]);
  }
  return differences;
}
