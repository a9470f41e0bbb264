import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  byteName,
  dateMax,
  displayName,
  escapeName,
  imageDirName,
  imageKeyName,
  lsuDirName,
  parseImageDirName,
  parseImageKeyName,
  parseLsuDirName,
  unescapeName,
  utf8Text,
} from '../../engine/image/names.ts';
import { byteString } from '../support/metas.ts';
import { check } from '../support/property.ts';

const basename = byteString(1, 1023);
const date = fc.oneof(fc.nat(2_000_000_000), fc.maxSafeNat());
/** What a file system, a shell and an S3 key take without harm. */
const harmless = /^[A-Za-z0-9_=-][A-Za-z0-9._=~-]*$/;

describe('names on storage', () => {
  test.each([
    ['client1_1705314600_C1_F1', 1_705_314_600, 'client1_1705314600_C1_F1~1705314600'],
    ['.', 0, '=2E~0'],
    ['..', 0, '=2E.~0'],
    ['.hidden', 1, '=2Ehidden~1'],
    ['a/b', 7, 'a=2Fb~7'],
    ['a~b=c\n', 7, 'a=7Eb=3Dc=0A~7'],
    ['\xc3\xa4', dateMax, '=C3=A4~9007199254740991'],
  ])('%j of date %d is %s', (name, when, dir) => {
    expect(imageDirName(name, when)).toBe(dir);
    expect(parseImageDirName(dir)).toEqual({ basename: name, date: when });
  });

  test('every byte survives, and no name is dangerous, hidden or too long', () => {
    check(
      fc.property(basename, date, (name, when) => {
        const key = imageKeyName(name, when);
        expect(parseImageKeyName(key)).toEqual({ basename: name, date: when });
        expect(unescapeName(escapeName(name))).toBe(name);
        const dir = imageDirName(name, when);
        expect(dir).toMatch(harmless);
        expect(dir.length).toBeLessThanOrEqual(200);
        expect(parseImageDirName(dir)).toEqual(key.length <= 200 ? { basename: name, date: when } : 'hashed');
      }),
      500,
    );
  });

  test('LSU names: the same, without a date', () => {
    check(
      fc.property(byteString(1, 255), (lsu) => {
        const dir = lsuDirName(lsu);
        expect(dir).toMatch(harmless);
        expect(dir.length).toBeLessThanOrEqual(200);
        expect(parseLsuDirName(dir)).toEqual(escapeName(lsu).length <= 200 ? { lsu } : 'hashed');
      }),
      300,
    );
  });

  test('two keys never share a directory', () => {
    const near = fc.tuple(byteString(1, 4), fc.nat(30));
    check(
      fc.property(near, near, ([a, dateA], [b, dateB]) => {
        expect(imageDirName(a, dateA) === imageDirName(b, dateB)).toBe(a === b && dateA === dateB);
      }),
      500,
    );
    // Long names that differ behind the cut, or in the date only; one that imitates a hashed name.
    const long = 'x'.repeat(300);
    const dirs = [imageDirName(long, 1), imageDirName(long, 2), imageDirName(`${long}y`, 1)];
    expect(new Set(dirs).size).toBe(3);
    expect(imageDirName(dirs[0] as string, 1)).not.toBe(dirs[0]);
  });

  test('a directory name is read back only in the form that is written', () => {
    check(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 30 }), (dir) => {
        const parsed = parseImageDirName(dir);
        if (parsed !== null && parsed !== 'hashed') expect(imageDirName(parsed.basename, parsed.date)).toBe(dir);
        const lsu = parseLsuDirName(dir);
        if (lsu !== null && lsu !== 'hashed') expect(lsuDirName(lsu.lsu)).toBe(dir);
      }),
      2000,
    );
  });

  test.each([
    '',
    '~1',
    'a',
    'a~',
    'a~01',
    'a~-1',
    'a~1x',
    'a~99999999999999999',
    'a~9007199254740992',
    '.a~1',
    'a=2~1',
    'a=2f~1',
    'a=41~1',
    'a=00b~1',
    'a b~1',
    '=2E',
    `${'a'.repeat(199)}~1`,
    '.snapshot',
    '.trash',
    '.new-0',
    'lost+found',
  ])('%j is no image of ours', (dir) => {
    expect(parseImageDirName(dir)).toBeNull();
  });

  test('what cannot be a name is a bug of the caller', () => {
    expect(() => escapeName('')).toThrow(RangeError);
    expect(() => escapeName('\u0100')).toThrow(RangeError);
    expect(() => imageDirName('a', -1)).toThrow(RangeError);
    expect(() => imageDirName('a', 1.5)).toThrow(RangeError);
    expect(() => imageDirName('a', 2 ** 53)).toThrow(RangeError);
  });

  test('names are shown as text where they are that, else escaped', () => {
    expect(displayName('plain name')).toBe('plain name');
    expect(displayName(byteName('größe'))).toBe('größe');
    expect(displayName('\xff')).toBe('=FF');
    expect(displayName('a\u001b[31m')).toBe('a=1B=5B31m');
    expect(displayName(byteName('a\u202eb'))).toBe('a=E2=80=AEb');
    expect(utf8Text('\xef\xbb\xbfa')).toBe('\ufeffa');
  });
});
