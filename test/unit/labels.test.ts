/** What an image's data object says of it: header-safe, bounded, whatever the names are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelsOf, labelValue } from '../../engine/image/labels.ts';
import { byteName } from '../../engine/image/names.ts';

const plain = { basename: 'host_1_C1_F1', date: 7, policy: 'daily', schedule: 'full', client: 'host.example' };

test('plain names stand as they are; what is not known has no label', () => {
  expect(labelsOf(plain)).toEqual({
    format: 'vast-ost-1',
    image: 'host_1_C1_F1~7',
    policy: 'daily',
    schedule: 'full',
    client: 'host.example',
  });
  expect(labelsOf({ ...plain, policy: null, schedule: null, client: '' })).toEqual({
    format: 'vast-ost-1',
    image: 'host_1_C1_F1~7',
  });
});

test('everything else is escaped, and read back by decodeURIComponent', () => {
  expect(labelValue('a b\r\nx-evil: 1', 100)).toBe('a%20b%0D%0Ax-evil:%201');
  expect(labelValue('\xff\x00%', 100)).toBe('%FF%00%25');
  expect(decodeURIComponent(labelValue(byteName('Ärzte, täglich ✓'), 350))).toBe('Ärzte, täglich ✓');
});

test('a long value is cut between characters, and says so', () => {
  expect(labelValue('x'.repeat(10), 10)).toBe('x'.repeat(10));
  expect(labelValue('x'.repeat(11), 10)).toBe(`${'x'.repeat(7)}...`);
  // ä: six characters as escapes.
  for (let max = 9; max < 30; max++) {
    const cut = labelValue(byteName('ä'.repeat(20)), max);
    expect(cut.length).toBeLessThanOrEqual(max);
    expect(decodeURIComponent(cut)).toBe(`${'ä'.repeat(Math.floor((max - 3) / 6))}...`);
  }
});

test('any names: no character that a header or a signature could stumble over, less than 1,900 bytes in all', () => {
  const bytes = (max: number): fc.Arbitrary<string> =>
    fc.uint8Array({ minLength: 1, maxLength: max }).map((all) => Buffer.from(all).toString('latin1'));
  const named = fc.record({
    basename: bytes(1023),
    date: fc.maxSafeNat(),
    policy: bytes(255),
    schedule: bytes(255),
    client: bytes(255),
  });
  const longest = { basename: '\xff'.repeat(1023), date: Number.MAX_SAFE_INTEGER, policy: '\r'.repeat(255) };
  fc.assert(
    fc.property(named, (one) => {
      const labels = Object.entries(labelsOf(one));
      expect(labels).toHaveLength(5);
      for (const [, value] of labels) expect(value).toMatch(/^(?:[A-Za-z0-9._~/:@+-]|%[0-9A-F]{2})+$/);
      const size = labels.reduce((sum, [name, value]) => sum + 'x-amz-meta-'.length + name.length + value.length, 0);
      expect(size).toBeLessThanOrEqual(1900);
    }),
    { examples: [[{ ...longest, schedule: ' '.repeat(255), client: '\n'.repeat(255) }]] },
  );
});
