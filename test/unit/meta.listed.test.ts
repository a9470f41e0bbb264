/** listedMeta: what a list shows is what decodeMeta says, or it is decodeMeta that has to say it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crcOf, defOf } from '../../engine/coordinator/image-info.ts';
import { type ListedMeta, listedMeta } from '../../engine/image/listed-meta.ts';
import { decodeMeta, encodeMeta, type ImageMeta } from '../../engine/image/meta.ts';
import { escapeName, imageDirName, imageKeyName } from '../../engine/image/names.ts';
import { anyMeta, exampleMeta } from '../support/metas.ts';

const seed = Number(process.env.VAST_OST_SEED ?? 20_260_101);

function listed(meta: ImageMeta, text: string): ListedMeta | null {
  return listedMeta(escapeName(meta.lsu), imageDirName(meta.basename, meta.date), meta.date, text, crcOf);
}

function shownOf(meta: ImageMeta): ListedMeta {
  const { policy = '', schedule = '', client = '', opaque = new Uint8Array(0) } = defOf(meta);
  return { state: meta.state, policy, schedule, client, opaque: new Uint8Array(opaque) };
}

const plain = (value: ListedMeta | null) => value && { ...value, opaque: new Uint8Array(value.opaque) };

test('a plain meta is shown as decodeMeta reads it', () => {
  for (const meta of [
    exampleMeta(),
    exampleMeta({ policy: null, client: null, definitionOpaque: new Uint8Array(0) }),
    exampleMeta({ state: 'pending', sha256: null }),
  ]) {
    expect(plain(listed(meta, encodeMeta(meta, crcOf)))).toEqual(shownOf(meta));
  }
});

test('of any meta either the same is shown, or nothing', () => {
  let shown = 0;
  fc.assert(
    fc.property(anyMeta, (meta) => {
      const found = listed(meta, encodeMeta(meta, crcOf));
      if (found === null) return;
      shown++;
      expect(plain(found)).toEqual(shownOf(meta));
      expect(imageDirName(meta.basename, meta.date)).toBe(imageKeyName(meta.basename, meta.date));
    }),
    { seed, numRuns: 300 },
  );
  expect(shown).toBeGreaterThan(0);
});

test('a character that was changed, added or lost is for decodeMeta to judge', () => {
  const meta = exampleMeta();
  const text = encodeMeta(meta, crcOf);
  for (let at = 0; at < text.length; at++) {
    const other = String.fromCharCode(text.charCodeAt(at) ^ 1);
    expect(listed(meta, text.slice(0, at) + other + text.slice(at + 1)), `changed at ${at}`).toBeNull();
    expect(listed(meta, text.slice(0, at) + text.slice(at + 1)), `lost at ${at}`).toBeNull();
    expect(listed(meta, `${text.slice(0, at)} ${text.slice(at)}`), `added at ${at}`).toBeNull();
  }
  for (const none of ['', '{}', '\n}\n', text.repeat(2), text.slice(0, 100)]) expect(listed(meta, none)).toBeNull();
});

test("another image's meta, and one with another's CRC, are not shown", () => {
  const meta = exampleMeta();
  const text = encodeMeta(meta, crcOf);
  expect(listed({ ...meta, lsu: 'lsu-02' }, text)).toBeNull();
  expect(listed({ ...meta, basename: 'other' }, text)).toBeNull();
  expect(listed({ ...meta, date: meta.date + 1 }, text)).toBeNull();
  // Characters that become others when they are cut to a byte must not stand for them.
  expect(listed(meta, text.replace('"full"', '"\u0166ull"'))).toBeNull();
  // What is hostile has a CRC of its own, and is held to what a list shows.
  for (const [from, to] of [
    ['"state": "complete"', '"state": "perfect"'],
    ['"policy": "daily-backup"', `"policy": "${'x'.repeat(256)}"`],
    ['"definition_opaque": "AQID"', '"definition_opaque": "AQI"'],
    ['"definition_opaque": "AQID"', `"definition_opaque": "${Buffer.alloc(1025).toString('base64')}"`],
    ['"format": 1', '"format": 2'],
    ['"key": {', '"key": null, "other": {'],
  ] as const) {
    const body = text.slice(0, text.lastIndexOf(',\n  "meta_crc64"')).replace(from, to);
    expect(body).toContain(to);
    const crc = crcOf(Buffer.from(`${body}\n}\n`, 'latin1'))
      .toString(16)
      .padStart(16, '0');
    const sealed = `${body},\n  "meta_crc64": "${crc}"\n}\n`;
    expect(listed(meta, sealed), to.slice(0, 40)).toBeNull();
    expect(decodeMeta(sealed, crcOf).ok).toBe(false);
  }
});
