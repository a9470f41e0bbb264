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
  const { basename, date } = meta;
  const key = { lsu: escapeName(meta.lsu), dir: imageDirName(basename, date), basename, date };
  return listedMeta(key, Buffer.from(text), crcOf);
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
  fc.assert(
    fc.property(anyMeta, (meta) => {
      const found = listed(meta, encodeMeta(meta, crcOf));
      if (found === null) return;
      expect(plain(found)).toEqual(shownOf(meta));
      expect(imageDirName(meta.basename, meta.date)).toBe(imageKeyName(meta.basename, meta.date));
    }),
    { seed, numRuns: 300 },
  );
});

/** One file, and nothing that JSON escapes: what the quick way is for. */
const plainMeta = fc
  .record({
    meta: anyMeta,
    texts: fc.array(fc.string({ minLength: 1, maxLength: 60 }), { minLength: 4, maxLength: 4 }),
  })
  .map(({ meta, texts }): ImageMeta => {
    const [basename = '', policy = '', schedule = '', client = ''] = texts.map((one) => one.replace(/["\\]/g, '_'));
    const [first] = meta.fragments;
    const partial = meta.sums === null ? 0 : first.size % meta.sums.chunkBytes;
    return {
      ...meta,
      lsu: 'lsu-01',
      basename,
      policy: meta.policy === null ? null : policy,
      schedule: meta.schedule === null ? null : schedule,
      client: meta.client === null ? null : client,
      size: first.size,
      fragments: [first],
      sums: meta.sums && { ...meta.sums, crc64: first.size < meta.sums.chunkBytes ? 0n : meta.sums.crc64 },
      partial: partial > 0 ? { length: partial, crc64: 1n } : null,
      shaState: meta.shaState && {
        ...meta.shaState,
        offset: Math.min(meta.shaState.offset, first.size - (first.size % 64)),
      },
    };
  });

test('every plain meta of one file is shown the quick way, but for names that their directories do not tell', () => {
  fc.assert(
    fc.property(plainMeta, (meta) => {
      const found = plain(listed(meta, encodeMeta(meta, crcOf)));
      if (imageDirName(meta.basename, meta.date) === imageKeyName(meta.basename, meta.date)) {
        expect(found).toEqual(shownOf(meta));
      } else {
        expect(found).toBeNull();
      }
    }),
    { seed, numRuns: 300 },
  );
});

/** With the CRC that it should have. */
function sealed(lines: readonly string[]): string {
  const body = lines.join('\n').replace(/,$/, '');
  const crc = crcOf(Buffer.from(`${body}\n}\n`, 'latin1'));
  return `${body},\n  "meta_crc64": "${crc.toString(16).padStart(16, '0')}"\n}\n`;
}

test('what decodeMeta refuses is not shown, however good its CRC', () => {
  let [shown, refused] = [0, 0];
  const lines = (meta: ImageMeta) => encodeMeta(meta, crcOf).split('\n').slice(0, -3);
  // Of another image in the same place: lines that are good by themselves, and contradict the ones around them.
  const cut = fc.record({ from: fc.nat(60), count: fc.nat(6), to: fc.nat(2), digit: fc.option(fc.nat(9)) });
  fc.assert(
    fc.property(plainMeta, plainMeta, cut, (meta, drawn, { from, count, to, digit }) => {
      const other = lines({ ...drawn, basename: meta.basename, date: meta.date });
      const mixed = lines(meta);
      const at = from % mixed.length;
      mixed.splice(at, count, ...other.slice(at, at + count + to));
      if (digit !== null) mixed[at] = (mixed[at] ?? '').replace(/[0-9]/, String(digit));
      const text = sealed(mixed);
      const found = listed(meta, text);
      const decoded = decodeMeta(text, crcOf);
      if (!decoded.ok) refused++;
      if (found === null) return;
      shown++;
      expect(decoded).toMatchObject({ ok: true });
      expect(plain(found)).toEqual(shownOf(decoded.ok ? decoded.meta : meta));
    }),
    { seed, numRuns: 1500 },
  );
  expect(shown).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
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
});

test('what is hostile has a CRC of its own, and is held to all that decodeMeta asks for', () => {
  const complete = exampleMeta();
  const pending = exampleMeta({ state: 'pending', sha256: null, shaState: { offset: 64, h: 'ab'.repeat(32) } });
  const partial = /"partial": \{[^}]*\}/;
  for (const [meta, ...changes] of [
    [complete, ['"state": "complete"', '"state": "perfect"']],
    [pending, ['"state": "pending"', '"state": "perfect"']],
    [complete, ['"policy": "daily-backup"', `"policy": "${'x'.repeat(256)}"`]],
    [complete, ['"definition_opaque": "AQID"', '"definition_opaque": "AQI"']],
    [complete, ['"definition_opaque": "AQID"', '"definition_opaque": "AR=="']],
    [complete, ['"definition_opaque": "AQID"', `"definition_opaque": "${Buffer.alloc(1025).toString('base64')}"`]],
    [complete, ['"opaque_metadata": "BAU="', '"opaque_metadata": "BAV="']],
    [complete, ['"format": 1', '"format": 2']],
    [complete, ['"key": {', '"key": null, "other": {']],
    [complete, ['"image_id": "0', '"image_id": "z']],
    [complete, ['"writer_token": "f', '"writer_token": "']],
    [complete, ['"name": "image.data"', '"name": "image.data.1"']],
    [complete, ['"fragments": 1', '"fragments": 2']],
    [complete, ['"chunk_bytes": 1048576', '"chunk_bytes": 512'], [partial, '"partial": null']],
    [complete, [/1049088/g, '1048576'], ['"length": 512', '"length": 0']],
    [complete, [partial, '"partial": null']],
    [pending, ['"offset": 64', '"offset": 63']],
    [pending, ['"offset": 64', '"offset": 6400000']],
    [complete, ['"checksum_mode": "sha256"', '"checksum_mode": "none"']],
    [complete, [/"creation_date": "2024/, '"creation_date": "2025']],
    [complete, ['"image_name": "client1', '"image_name": "client2']],
  ] as [ImageMeta, ...[string | RegExp, string][]][]) {
    const text = encodeMeta(meta, crcOf);
    expect(listed(meta, text)).not.toBeNull();
    const changed = changes.reduce((all, [from, to]) => all.replace(from, to), text);
    const again = sealed(changed.split('\n').slice(0, -3));
    const which = changes.map(([, to]) => to.slice(0, 40)).join();
    expect(again, which).not.toBe(text);
    expect(listed(meta, again), which).toBeNull();
    expect(decodeMeta(again, crcOf).ok, which).toBe(false);
  }
});
