import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type IniFile, parseIni } from '../../engine/ini.ts';
import { check } from '../support/property.ts';

const vectors = new URL('../vectors/ini/', import.meta.url);
const names = readdirSync(vectors)
  .filter((name) => name.endsWith('.conf'))
  .map((name) => name.slice(0, -'.conf'.length));

/** Objects without a prototype: a vector has keys such as __proto__. */
function sectionsOf(file: IniFile): unknown {
  return file.sections.map(({ name, entries }) => [name, entries.map(({ key, value }) => [key, utf8(value)])]);
}
function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

describe('vectors that the plug-in passes too', () => {
  test('there are some', () => {
    expect(names.length).toBeGreaterThan(20);
  });

  test.each(names)('%s', (name) => {
    const parsed = parseIni(readFileSync(new URL(`${name}.conf`, vectors), 'latin1'));
    const expected = JSON.parse(readFileSync(new URL(`${name}.expect.json`, vectors), 'utf8')) as
      | { ok: true; sections: Record<string, Record<string, string>> }
      | { ok: false; line: number };
    if (expected.ok) {
      expect(parsed.problems).toEqual([]);
      const sections = Object.entries(expected.sections).map(([section, keys]) => [section, Object.entries(keys)]);
      // A vector's order of names that look like numbers is JSON's, not the file's.
      expect(sorted(sectionsOf(parsed))).toEqual(sorted(sections));
    } else {
      expect(parsed.problems[0]?.line).toBe(expected.line);
    }
  });
});

function sorted(sections: unknown): unknown {
  const byName = (a: [string, unknown], b: [string, unknown]) => (a[0] < b[0] ? -1 : 1);
  const list = sections as [string, [string, unknown][]][];
  return list.map(([name, keys]) => [name, keys.toSorted(byName)] as [string, unknown]).toSorted(byName);
}

describe('the parser', () => {
  test('goes on after a mistake and tells all, by line', () => {
    const { sections, problems } = parseIni('a = 1\n[x]\nk = 1\nk = 2\nnonsense\n[y\nz = 1\n[x]\nk = 3\nl = 4\u0007\n');
    expect(problems.map(({ line }) => line)).toEqual([1, 4, 5, 6, 9, 10]);
    expect(problems.every(({ text, remedy }) => text !== '' && remedy !== '')).toBe(true);
    expect(sections).toEqual([{ name: 'x', line: 2, entries: [{ key: 'k', value: '1', line: 3 }] }]);
  });

  test('whatever bytes come, it answers, and no line is named that is not there', () => {
    const piece = fc.constantFrom('[', ']', '=', '\n', '\r\n', '#', ';', ' ', '\t', 'a', 'general', '\0', '\xff', '\r');
    check(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 60 }), (pieces) => {
        const text = Buffer.from(pieces.join('')).toString('latin1');
        const { sections, problems } = parseIni(text);
        const lines = text.split('\n').length;
        for (const { line } of problems) expect(line >= 1 && line <= lines).toBe(true);
        expect(problems.map(({ line }) => line)).toEqual(problems.map(({ line }) => line).toSorted((a, b) => a - b));
        for (const { entries } of sections) {
          for (const { key, value } of entries) {
            expect(key).toMatch(/^[A-Za-z0-9_.-]+$/);
            expect(value).toBe(value.replace(/^[ \t]+|[ \t]+$/g, ''));
          }
        }
      }),
      2000,
    );
  });

  test('what is written in the plain form comes back', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,12}$/);
    const value = fc.stringMatching(/^[!-~]{0,20}$/);
    const section = fc.tuple(name, fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 6 }));
    check(
      fc.property(fc.uniqueArray(section, { selector: ([one]) => one, maxLength: 5 }), (sections) => {
        const text = sections
          .map(([one, keys]) => `[${one}]\n${keys.map(([k, v]) => `${k}=${v}\n`).join('')}`)
          .join('');
        const parsed = parseIni(text);
        expect(parsed.problems).toEqual([]);
        expect(sectionsOf(parsed)).toEqual(sections);
      }),
      300,
    );
  });
});
