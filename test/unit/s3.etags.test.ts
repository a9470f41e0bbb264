/** Whether an ETag speaks against the bytes that came with it. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Etags } from '../../workers/s3/etags.ts';

const bytes = Buffer.from('as it is stored');
const md5 = createHash('md5').update(bytes).digest('hex');
const flipped = Buffer.from('as it is stored');
flipped.writeUInt8(flipped.readUInt8(3) ^ 4, 3);

test.each([`"${md5}"`, md5])('an MD5 vouches for its bytes and for no others: %s', (etag) => {
  const etags = new Etags();
  expect(etags.vouchFor(bytes, etag)).toBe(true);
  expect(etags.vouchFor(flipped, etag)).toBe(false);
});

test.each(['', `"${md5}-2"`, '"an opaque word"', `"${md5.toUpperCase()}"`])(
  'what is no MD5 says nothing: %s',
  (etag) => {
    expect(new Etags().vouchFor(flipped, etag)).toBe(true);
  },
);

test('where the same bytes come twice, ETags are no MD5s at this endpoint', () => {
  const etags = new Etags();
  expect(etags.vouchFor(flipped, md5)).toBe(false);
  etags.twice();
  expect(etags.vouchFor(flipped, md5)).toBe(true);
});

test('where they were MD5s before, the object is damaged where it is stored, and others are still looked at', () => {
  const etags = new Etags();
  expect(etags.vouchFor(bytes, md5)).toBe(true);
  etags.twice();
  expect(etags.vouchFor(flipped, md5)).toBe(false);
});
