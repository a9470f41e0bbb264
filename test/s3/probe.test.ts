/** The passport of an endpoint: what it really does, whatever it says. */
import { describe, expect, test } from 'vitest';
import { abilitiesOf, type EndpointPassport, passport, passportDiff, warningsOf } from '../../engine/core/passport.ts';
import { Bucket } from '../../workers/s3/bucket.ts';
import { S3Server, type StartOptions } from './server/server.ts';
import { settingsOf } from './store-kit.ts';

const aws: Omit<EndpointPassport, 'endpoint'> = {
  tls: 'none',
  crc64nvmePut: 'verified',
  crc64nvmePart: 'verified',
  crc64nvmeObject: 'verified',
  contentMd5Put: 'verified',
  contentMd5Part: 'verified',
  signedPayload: 'verified',
  unsignedPayload: 'works',
  ifNoneMatch: 'honoured',
  ifMatch: 'honoured',
  copyPart: 'works',
  rangedGet: 'works',
  part10000: 'works',
  metadata2k: 'works',
};
const noCrc = { crc64nvmePut: 'refused', crc64nvmePart: 'refused', crc64nvmeObject: 'refused' } as const;
const naive = {
  ...{ crc64nvmePut: 'ignored', crc64nvmePart: 'ignored', crc64nvmeObject: 'ignored' },
  ...{ contentMd5Put: 'ignored', contentMd5Part: 'ignored', signedPayload: 'ignored' },
  ...{ ifNoneMatch: 'ignored', ifMatch: 'ignored' },
} as const;

async function probed(server: S3Server): ReturnType<Bucket['probe']> {
  const bucket = new Bucket(settingsOf(server, { prefix: 'deep/' }));
  try {
    return await bucket.probe();
  } finally {
    await bucket.close();
  }
}

describe('tells what an endpoint checks', () => {
  const kinds: [name: string, options: StartOptions, found: object, abilities: object][] = [
    ['aws-like', {}, {}, { integrity: 'crc64nvme', conditionalPut: true, unsafe: false, partsMax: 10_000 }],
    ['vast-like', { mode: 'vast-like' }, noCrc, { integrity: 'sha256', conditionalPut: true, unsafe: false }],
    ['naive', { mode: 'naive' }, naive, { integrity: 'sha256', conditionalPut: false, unsafe: true }],
    [
      'no conditional puts',
      { conditionalPut: 'refuse' },
      { ifNoneMatch: 'refused', ifMatch: 'refused' },
      { conditionalPut: false },
    ],
    [
      'no unsigned payloads',
      { unsignedPayload: 'refuse' },
      {
        unsignedPayload: 'refused',
        ...noCrc,
        contentMd5Put: 'refused',
        contentMd5Part: 'refused',
      },
      { integrity: 'sha256', unsafe: false },
    ],
    [
      'no more than 137 parts',
      { limits: { partsMax: 137 } },
      { part10000: 'refused', partsMax: 137 },
      { partsMax: 137 },
    ],
    [
      'MD5 only',
      { mode: 'vast-like', verifyPayloadHash: false },
      { ...noCrc, signedPayload: 'ignored' },
      { integrity: 'md5', unsafe: false },
    ],
  ];
  test.each(kinds)('%s', async (_, options, found, abilities) => {
    await using server = await S3Server.start(options);
    const made = await probed(server);
    expect(passport.parse(made)).toEqual(made);
    expect(made.endpoints).toEqual([{ endpoint: server.url, ...aws, ...found }]);
    expect(abilitiesOf(made)).toMatchObject(abilities);
    expect(server.keys(), 'nothing stays behind').toEqual([]);
    expect(server.uploads()).toEqual([]);
  });

  test('over TLS, and that certificates are not looked at', async () => {
    await using server = await S3Server.start({ endpoints: [{ protocol: 'https' }] });
    const bucket = new Bucket(settingsOf(server, { tlsVerify: false }));
    expect((await bucket.probe()).endpoints).toMatchObject([{ ...aws, tls: 'not verified' }]);
    await bucket.close();
  });
});

test('an endpoint that changed its mind shows in the difference, and in what is done about it', async () => {
  await using server = await S3Server.start();
  const before = await probed(server);
  server.options.conditionalPut = 'ignore';
  server.options.checksums.crc64nvme = 'ignore';
  const after = await probed(server);
  expect(passportDiff(before, before)).toEqual([]);
  expect(passportDiff(before, after).map(({ what, before: a, after: b }) => [what.split(': ')[1], a, b])).toEqual([
    ['crc64nvmePut', 'verified', 'ignored'],
    ['crc64nvmePart', 'verified', 'ignored'],
    ['crc64nvmeObject', 'verified', 'refused'],
    ['ifNoneMatch', 'honoured', 'ignored'],
    ['ifMatch', 'honoured', 'ignored'],
  ]);
  expect(abilitiesOf(after)).toMatchObject({ integrity: 'sha256', conditionalPut: false });
  expect(warningsOf(after)).toHaveLength(1);
});

test('a wrong one that is throttled is not taken for refused', async () => {
  await using server = await S3Server.start({ mode: 'naive' });
  server.faults.add({ match: { every: 3 }, action: { do: 'answer', status: 429, code: 'TooManyRequests' } });
  server.faults.add({ match: { every: 7 }, action: { do: 'answer', status: 400, code: 'RequestTimeout' } });
  expect((await probed(server)).endpoints).toEqual([{ endpoint: server.url, ...aws, ...naive }]);
});

test('of several endpoints the weakest counts; one that is down is left out', async () => {
  await using server = await S3Server.start({ endpoints: [{}, {}] });
  await server.endpoints[1]?.down();
  const [first, second] = server.endpoints.map(
    ({ url }) => settingsOf({ ...server, url, bucket: server.bucket, credentials: server.credentials }).endpoints[0],
  );
  if (first === undefined || second === undefined) throw new Error('two endpoints');
  const bucket = new Bucket(settingsOf(server, { endpoints: [second, first] }));
  const found = await bucket.probe();
  expect(found.endpoints).toHaveLength(1);
  await bucket.close();
  const weak = { ...found.endpoints[0], endpoint: 'http://other', ifMatch: 'ignored' } as EndpointPassport;
  expect(abilitiesOf({ ...found, endpoints: [...found.endpoints, weak] }).conditionalPut).toBe(false);
});

test.each([
  [
    'no rights',
    { credentials: [{ accessKeyId: 'TESTACCESSKEY', secretAccessKey: 'test/secret+key', deny: ['*'] }] },
    /AccessDenied/,
  ],
  ['a wrong clock', { clockOffsetMs: 3_600_000 }, /RequestTimeTooSkewed/],
])('%s is told, and nothing concluded from it', async (_, options, text) => {
  await using server = await S3Server.start(options);
  await expect(probed(server)).rejects.toMatchObject({ failure: { text: expect.stringMatching(text) } });
});
