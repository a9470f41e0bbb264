/** The small files of a store: its marker and an LSU's own file. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLsu, encodeLsu } from '../../engine/image/lsu.ts';
import { decodeMarker, encodeMarker, newMarker } from '../../engine/image/marker.ts';
import { lsuDirName } from '../../engine/image/names.ts';
import { byteString } from '../support/metas.ts';
import { check } from '../support/property.ts';

const marker = { storeId: '0123456789abcdef0123456789abcdef', createdAt: '2026-01-02T03:04:05.678Z' };

describe('.vast-ost-store', () => {
  test('comes back; each store gets its own id', () => {
    expect(decodeMarker(encodeMarker(marker))).toEqual({ ok: true, marker });
    const now = new Date(0);
    expect(newMarker(now).storeId).not.toBe(newMarker(now).storeId);
    expect(decodeMarker(encodeMarker(newMarker(now))).ok).toBe(true);
  });

  test.each([
    ['', 'json'],
    ['null', 'json'],
    ['{}', 'format'],
    [encodeMarker(marker).replace('"format": 1', '"format": 2'), 'format'],
    [encodeMarker(marker).replace('0123', 'XYZ'), 'store_id'],
    [encodeMarker(marker).replace('2026', '\\n'), 'created_at'],
    [`${encodeMarker(marker)}${' '.repeat(1024)}`, 'json'],
  ])('%j: %s is named', (text, field) => {
    expect(decodeMarker(text)).toMatchObject({ ok: false, field });
  });
});

describe('.lsu', () => {
  test('comes back, and belongs to its directory only', () => {
    check(
      fc.property(byteString(1, 255), byteString(0, 255), (lsu, label) => {
        const text = encodeLsu({ lsu, label });
        expect(decodeLsu(lsuDirName(lsu), text)).toEqual({ ok: true, info: { lsu, label } });
        expect(decodeLsu('another', text)).toMatchObject({ ok: lsu === 'another' });
      }),
      200,
    );
  });

  test('may be missing where the name says all', () => {
    expect(decodeLsu('pool=20a', null)).toEqual({ ok: true, info: { lsu: 'pool a', label: '' } });
    expect(decodeLsu(lsuDirName('x'.repeat(255)), null)).toMatchObject({ ok: false, field: 'name' });
    expect(decodeLsu('lost+found', null)).toMatchObject({ ok: false, field: 'name' });
  });

  test.each([
    ['x', 'json'],
    ['[]', 'format'],
    ['{"format":1}', 'name'],
    ['{"format":1,"name":"b","label":""}', 'name'],
    ['{"format":1,"name":"a"}', 'label'],
    ['{"format":1,"name":"a","label":"x y"}', 'label'],
  ])('%j: %s is named', (text, field) => {
    expect(decodeLsu('a', text)).toMatchObject({ ok: false, field });
  });
});
