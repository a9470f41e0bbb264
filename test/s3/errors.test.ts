/** Every class of failure: what a request does about it, and what is told. One test each, over real sockets. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { errno, errnoName } from '../../engine/core/errors.ts';
import type { S3Settings } from '../../engine/core/s3-settings.ts';
import { Bucket, type BucketHooks } from '../../workers/s3/bucket.ts';
import { type FailureClassName, failureClasses } from '../../workers/s3/failures.ts';
import { seal } from '../../workers/s3/seal.ts';
import { StoreError, type StoreFailure } from '../../workers/store.ts';
import type { FaultAction } from './server/fault-data.ts';
import { otherCaPath, S3Server, type StartOptions } from './server/server.ts';
import { settingsOf } from './store-kit.ts';

/** No real waiting: the clock jumps, and says how long it would have been. */
class Clock implements BucketHooks {
  waited: number[] = [];
  #ahead = 0;
  now(): number {
    return performance.now() + this.#ahead;
  }
  async wait(ms: number): Promise<void> {
    this.waited.push(ms);
    this.#ahead += ms;
  }
  random(): number {
    return 0.5;
  }
}

const bytes = Buffer.alloc(100_000, 7);

async function put(bucket: Bucket, key = 'lsu/image~7/image.data'): Promise<void> {
  const { input } = await seal('crc64nvme', [bytes]);
  await bucket.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, ...input }), { body: [bytes] });
}

async function failureOf(work: Promise<unknown>): Promise<StoreFailure> {
  const error = await work.then(
    () => new Error('it succeeded'),
    (failure: unknown) => failure,
  );
  if (error instanceof StoreError) return error.failure;
  throw error;
}

interface Kit {
  server: S3Server;
  bucket: Bucket;
  clock: Clock;
}

async function withBucket(
  work: (kit: Kit) => Promise<void>,
  options: StartOptions = {},
  over: (server: S3Server) => Partial<S3Settings> = () => ({}),
): Promise<void> {
  await using server = await S3Server.start(options);
  const clock = new Clock();
  const bucket = new Bucket(settingsOf(server, { idleMs: 300, connectMs: 300, ...over(server) }), clock);
  try {
    await work({ server, bucket, clock });
  } finally {
    await bucket.close();
  }
}

/** What an answer with this status and code leads to. */
const answers: [name: FailureClassName, status: number, code: string][] = [
  ['clockSkew', 403, 'RequestTimeTooSkewed'],
  ['expiredCredentials', 400, 'ExpiredToken'],
  ['unknownKey', 403, 'InvalidAccessKeyId'],
  ['badSignature', 403, 'SignatureDoesNotMatch'],
  ['denied', 403, 'AccessDenied'],
  ['denied', 401, 'NobodyKnowsThis'],
  ['noBucket', 404, 'NoSuchBucket'],
  ['noUpload', 404, 'NoSuchUpload'],
  ['noObject', 404, 'NoSuchKey'],
  ['wrongPlace', 301, 'PermanentRedirect'],
  ['exists', 412, 'PreconditionFailed'],
  ['conflict', 409, 'ConditionalRequestConflict'],
  ['tooLarge', 400, 'EntityTooLarge'],
  ['badParts', 400, 'InvalidPart'],
  ['quota', 403, 'QuotaExceeded'],
  ['full', 507, 'InsufficientStorage'],
  ['notImplemented', 501, 'NotImplemented'],
  ['badRange', 416, 'InvalidRange'],
  ['changedOnTheWay', 400, 'BadDigest'],
  ['incomplete', 400, 'IncompleteBody'],
  ['requestTimeout', 400, 'RequestTimeout'],
  ['throttled', 429, 'TooManyRequests'],
  ['slowDown', 503, 'SlowDown'],
  ['serverError', 500, 'InternalError'],
  ['serverError', 502, 'NobodyKnowsThis'],
  ['other', 400, 'NobodyKnowsThis'],
];

test.each(answers)('%s: HTTP %i %s', async (name, status, code) => {
  const known = failureClasses[name];
  await withBucket(async ({ server, bucket, clock }) => {
    const fault = server.faults.add({ match: { op: 'PutObject', count: 2 }, action: { do: 'answer', status, code } });
    if (known.kind === 'again') {
      await put(bucket);
      expect(clock.waited.length, 'it waited before it tried again').toBe(2);
      expect(server.bytes('lsu/image~7/image.data')).toEqual(bytes);
      expect(bucket.status().retries).toBe(2);
      fault.release();
    }
    server.faults.add({ match: { op: 'PutObject' }, action: { do: 'answer', status, code } });
    const failure = await failureOf(put(bucket));
    expect(errnoName(failure.errno)).toBe(errnoName(known.kind === 'again' ? errno.EIO : known.errno));
    expect(failure.text).toContain(`PutObject of ${server.url}/test-bucket/lsu/image~7/image.data failed`);
    expect(failure.text).toContain(`${code} (HTTP ${status}, request id 0`);
    expect(failure.text).toContain(known.remedy);
    if (known.kind === 'again') expect(failure.text).toMatch(/after \d+ tries in \d+ s/);
  });
});

/** Faults of transport and of bodies, each twice: the upload works in the end. */
const passing: [name: FailureClassName, what: string, action: FaultAction][] = [
  ['reset', 'before the request is read', { do: 'reset', at: 'start' }],
  ['reset', 'inside the body', { do: 'reset', at: 'in', bytes: 5000 }],
  ['reset', 'before the answer', { do: 'reset', at: 'read' }],
  ['reset', 'after it was carried out', { do: 'doneButReset' }],
  ['stalled', 'inside the body', { do: 'stall', at: 'read' }],
  ['changedOnTheWay', 'a bit on the wire', { do: 'corruptIn', offset: 77, bit: 3 }],
  ['badAnswer', 'no HTTP', { do: 'raw', text: 'SSH-2.0-OpenSSH_9.6\r\n' }],
];

test.each(passing)('%s: %s, and the upload works all the same', async (_, __, action) => {
  await withBucket(async ({ server, bucket }) => {
    const fault = server.faults.add({ match: { op: 'PutObject', count: 2 }, action });
    await put(bucket);
    expect(fault.hits).toBe(2);
    expect(server.bytes('lsu/image~7/image.data')).toEqual(bytes);
  });
});

test('an error inside a 200 is an error, and passes', async () => {
  await withBucket(async ({ server, bucket }) => {
    server.plant('from', bytes);
    server.faults.add({
      match: { op: 'CopyObject', count: 1 },
      action: { do: 'errorIn200', code: 'InternalError' },
    });
    const { CopyObjectCommand } = await import('@aws-sdk/client-s3');
    await bucket.send(new CopyObjectCommand({ Bucket: bucket.name, Key: 'to', CopySource: 'test-bucket/from' }));
    expect(server.bytes('to')).toEqual(bytes);
    expect(bucket.status().retries).toBe(1);
  });
});

/** Of ranges: what the reader gets, and how. */
const reads: [name: string, action: FaultAction, pieces: number][] = [
  ['a short body', { do: 'shortBody', bytes: 40_000 }, 2],
  ['a reset inside the body', { do: 'reset', at: 'out', bytes: 50_000 }, 2],
  ['an end inside the body', { do: 'end', at: 'out', bytes: 50_000 }, 2],
  ['a stall inside the body', { do: 'stall', at: 'out', bytes: 50_000 }, 2],
  ['an overlong body', { do: 'overlongBody', bytes: 100, counted: true }, 2],
  ['another range', { do: 'wrongRange', shift: 10 }, 2],
  ['another ETag', { do: 'wrongEtag' }, 1],
];

test.each(reads)('a range is read whole over %s', async (what, action, pieces) => {
  await withBucket(async ({ server, bucket }) => {
    const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >>> 8)) & 0xff));
    server.plant('key', content);
    const [{ ETag = '' }] = [await bucket.send(new HeadObjectCommand({ Bucket: bucket.name, Key: 'key' }))];
    server.faults.add({ match: { op: 'GetObject', count: 1 }, action });
    const into = Buffer.alloc(150_000);
    const read = bucket.read('key', 1000, into, { ifMatch: ETag });
    if (what === 'another ETag') {
      expect(await failureOf(read)).toMatchObject({ errno: -errno.EBADMSG });
      return;
    }
    expect(await read).toBe(into.length);
    expect(into.equals(content.subarray(1000, 151_000))).toBe(true);
    const gets = server.requests.filter(({ op }) => op === 'GetObject');
    expect(gets).toHaveLength(pieces);
    const sent = gets.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
    if (action.do !== 'overlongBody' && action.do !== 'wrongRange') {
      expect(sent, 'it went on from the byte where it stopped').toBeLessThan(into.length + 20_000);
    }
  });
});

test('an object that is replaced while it is read is told, and no byte of the new one is taken', async () => {
  await withBucket(async ({ server, bucket }) => {
    server.plant('key', Buffer.alloc(1000, 1));
    const got = await bucket.get('key', 1000);
    server.plant('key', Buffer.alloc(1000, 2));
    const failure = await failureOf(bucket.read('key', 0, Buffer.alloc(1000), { ifMatch: got?.etag }));
    expect(errnoName(failure.errno)).toBe('EBADMSG');
  });
});

test('one bad part never ends a job: it goes out again from its slot', async () => {
  await withBucket(async ({ server, bucket }) => {
    const { CreateMultipartUploadCommand } = await import('@aws-sdk/client-s3');
    const begin = new CreateMultipartUploadCommand({ Bucket: bucket.name, Key: 'key' });
    const { UploadId } = await bucket.send(begin);
    server.faults.add({
      match: { op: 'UploadPart', part: 3, count: 3 },
      action: { do: 'reset', at: 'in', bytes: 1000 },
    });
    const tally = { retries: 0 };
    for (const number of [1, 2, 3]) {
      const { input } = await seal('crc64nvme', [bytes]);
      const part = { Bucket: bucket.name, Key: 'key', UploadId, PartNumber: number, ...input };
      await bucket.send(new UploadPartCommand(part), { body: [bytes] }, { part: number, tally });
    }
    expect(server.counter('UploadPart').count).toBe(6);
    expect(tally.retries).toBe(3);
  });
});

test('a failure names endpoint, bucket, key, part and request id', async () => {
  await withBucket(async ({ server, bucket }) => {
    const slow: FaultAction = { do: 'answer', status: 503, code: 'SlowDown', at: 'start' };
    server.faults.add({ match: { op: 'UploadPart' }, action: slow });
    const { input } = await seal('crc64nvme', [bytes]);
    const part = { Bucket: bucket.name, Key: 'lsu/image~7/image.data', UploadId: 'u', PartNumber: 12, ...input };
    const failure = await failureOf(bucket.send(new UploadPartCommand(part), { body: [bytes] }, { part: 12 }));
    expect(failure.path).toBe(`${server.url}/test-bucket/lsu/image~7/image.data part 12`);
    expect(failure.text).toMatch(
      /^UploadPart of http:.* part 12 failed after \d+ tries in \d+ s: SlowDown \(HTTP 503, /,
    );
  });
});

test('Retry-After is waited for, and no longer than the budget', async () => {
  await withBucket(async ({ server, bucket, clock }) => {
    const slow: FaultAction = { do: 'answer', status: 503, code: 'SlowDown', retryAfter: '7' };
    const fault = server.faults.add({ match: { op: 'PutObject', count: 1 }, action: slow });
    await put(bucket);
    expect(fault.hits).toBe(1);
    expect(clock.waited).toEqual([7000]);
    server.faults.add({ match: { op: 'PutObject' }, action: { ...slow, retryAfter: '30' } });
    expect((await failureOf(put(bucket))).errno).toBe(-errno.EIO);
    expect(clock.waited, 'ten seconds are no thirty').toEqual([7000]);
  });
});

test('a retry budget of nothing tries once', async () => {
  await withBucket(
    async ({ server, bucket }) => {
      server.faults.add({ match: { op: 'PutObject' }, action: { do: 'answer', status: 500, code: 'InternalError' } });
      await failureOf(put(bucket));
      expect(server.counter('PutObject').count).toBe(1);
    },
    {},
    () => ({ retryMs: 0 }),
  );
});

test('a kept connection that just ended costs no try, and needs no budget', async () => {
  await withBucket(
    async ({ server, bucket }) => {
      await put(bucket);
      const fault = server.faults.add({ match: { op: 'PutObject', count: 1 }, action: { do: 'reset', at: 'start' } });
      await put(bucket);
      expect(fault.hits).toBe(1);
    },
    {},
    () => ({ retryMs: 0 }),
  );
});

test('refused: nobody listens', async () => {
  await withBucket(async ({ server, bucket }) => {
    await server.endpoints[0]?.down();
    const failure = await failureOf(put(bucket));
    expect(failure.text).toContain('ECONNREFUSED');
    expect(failure.text).toContain(failureClasses.refused.remedy);
  });
});

test('unknownHost: a name that nobody knows', async () => {
  await withBucket(
    async ({ bucket }) => {
      const failure = await failureOf(put(bucket));
      expect(failure.text).toMatch(/ENOTFOUND|EAI_AGAIN/);
      expect(failure.text).toContain('check DNS');
    },
    {},
    () => ({ endpoints: [{ protocol: 'http', host: 'nobody.invalid', port: 80 }] }),
  );
});

test('certificate: an authority that is not ours is told at once; another endpoint is asked', async () => {
  await withBucket(
    async ({ bucket, clock }) => {
      const failure = await failureOf(put(bucket));
      expect(errnoName(failure.errno)).toBe('EACCES');
      expect(failure.text).toContain('set ca_file');
      expect(clock.waited).toEqual([]);
    },
    { endpoints: [{ protocol: 'https' }] },
    () => ({ caFile: otherCaPath }),
  );
});

test('stalled: an endpoint that takes connections and says nothing', async () => {
  await withBucket(async ({ server, bucket }) => {
    const [endpoint] = server.endpoints;
    if (endpoint === undefined) throw new Error('no endpoint');
    endpoint.onConnect = 'silent';
    const failure = await failureOf(put(bucket));
    expect(failure.text).toContain('ETIMEDOUT');
    endpoint.onConnect = 'serve';
  });
});

test('noCredentials: a file that others can read is refused, and what is in it is not told', async () => {
  await withBucket(
    async ({ bucket }) => {
      const failure = await failureOf(put(bucket));
      expect(failure.text).toMatch(/CredentialsProviderError .*package\.json.*chmod 600/);
    },
    {},
    () => ({ credentialsFile: join(import.meta.dirname, '../../package.json') }),
  );
});

test('a slow endpoint that moves is no failure', async () => {
  await withBucket(
    async ({ server, bucket }) => {
      server.faults.add({ match: { op: 'PutObject' }, action: { do: 'slow', side: 'in', bytesPerSecond: 150_000 } });
      await put(bucket);
      expect(bucket.status().retries).toBe(0);
    },
    {},
    () => ({ idleMs: 5000 }),
  );
});

test('one dead endpoint of four costs no request a failure, and is used again when it is back', async () => {
  await withBucket(
    async ({ server, bucket, clock }) => {
      const [first] = server.endpoints;
      const some = (): Promise<unknown> => Promise.all(Array.from({ length: 16 }, (_, i) => put(bucket, `key-${i}`)));
      await some();
      const shares = (): number[] => bucket.status().endpoints.map(({ requests }) => requests);
      expect(shares()).toEqual([4, 4, 4, 4]);
      await first?.down();
      await some();
      await some();
      expect(bucket.status().endpoints[0]).toMatchObject({ healthy: false });
      expect(clock.waited, 'others took its requests at once').toEqual([]);
      await first?.up();
      await clock.wait(60_000);
      const before = shares()[0] ?? 0;
      await some();
      await some();
      expect(bucket.status().endpoints[0]).toMatchObject({ healthy: true, problem: '' });
      expect((shares()[0] ?? 0) - before).toBeGreaterThanOrEqual(4);
    },
    { endpoints: [{}, {}, {}, {}] },
    (server) => ({
      endpoints: server.endpoints.map(({ url }) => ({
        protocol: 'http' as const,
        host: '127.0.0.1',
        port: Number(new URL(url).port),
      })),
    }),
  );
});

test('no secret is in a text', async () => {
  await withBucket(async ({ server, bucket }) => {
    server.faults.add({ match: {}, action: { do: 'answer', status: 403, code: 'SignatureDoesNotMatch' } });
    const failure = await failureOf(bucket.send(new GetObjectCommand({ Bucket: bucket.name, Key: 'x' })));
    expect(JSON.stringify(failure)).not.toContain(server.credentials.secretAccessKey);
    expect(JSON.stringify(failure)).not.toContain('Signature=');
  });
});

test('docs/operators/s3.md shows every class as it is', () => {
  const doc = readFileSync(join(import.meta.dirname, '../../docs/operators/s3.md'), 'utf8');
  for (const [name, { signs, kind, errno: number, remedy }] of Object.entries(failureClasses)) {
    const told = kind === 'again' ? 'EIO' : errnoName(number);
    const row = `| ${name} | ${signs.map((sign) => `\`${sign}\``).join(' ') || 'anything else'} | ${kind} | ${told} | ${remedy} |`;
    expect(doc, row).toContain(row);
  }
});
