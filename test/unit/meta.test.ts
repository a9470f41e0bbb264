import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { creationDate, decodeMeta, encodeMeta, type ImageMeta, metaBytesMax } from '../../engine/image/meta.ts';
import { crc64 } from '../support/crc64.ts';
import { anyMeta, exampleMeta } from '../support/metas.ts';
import { check } from '../support/property.ts';

const encode = (meta: ImageMeta) => encodeMeta(meta, crc64);
const decode = (text: string) => decodeMeta(text, crc64);
/** As an editor would: the text is changed, its CRC is not. */
const edited = (from: string | RegExp, to: string) => decode(encode(exampleMeta()).replace(from, to));
/** As somebody who knows the CRC would. */
function forged(change: (fields: Record<string, unknown>) => void) {
  const fields = JSON.parse(encode(exampleMeta())) as Record<string, unknown>;
  delete fields.meta_crc64;
  change(fields);
  const body = `${JSON.stringify(fields, null, 2)}\n`;
  const sum = crc64(Buffer.from(body, 'latin1')).toString(16).padStart(16, '0');
  return decode(`${JSON.stringify({ ...fields, meta_crc64: sum }, null, 2)}\n`);
}

describe('image.meta', () => {
  test('has the specified fields, as specified', () => {
    const fields = JSON.parse(encode(exampleMeta()));
    expect(fields).toMatchObject({
      image_name: 'client1_1705314600_C1_F1',
      creation_date: '2024-01-15T10:30:00Z',
      size: 1_049_088,
      fragments: 1,
      checksum: `sha256:${'ab'.repeat(32)}`,
      netbackup_metadata: { policy: 'daily-backup', schedule: 'full', client: 'client1.example.com' },
    });
    expect(Object.keys(fields).at(-1)).toBe('meta_crc64');
  });

  test('has the fields of docs/format.md, in that order', () => {
    const text = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8');
    const section = text.slice(text.indexOf('## `image.meta`'), text.indexOf('## `image.sums`'));
    const documented = [...section.matchAll(/^\| `([a-z_0-9]+)` \|/gm)].map(([, field]) => field);
    expect(documented).toEqual(Object.keys(JSON.parse(encode(exampleMeta()))));
  });

  test('comes back as it was', () => {
    check(
      fc.property(anyMeta, (meta) => {
        const text = encode(meta);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the text has line feeds and nothing else below a blank
        expect(text).toMatch(/^[\u000a\u0020-\u007f]*$/);
        expect(decode(text)).toEqual({ ok: true, meta });
      }),
      300,
    );
  });

  test('one changed byte is found, or changes nothing', () => {
    check(
      fc.property(anyMeta, fc.nat(), fc.integer({ min: 1, max: 255 }), (meta, place, flip) => {
        const bytes = Buffer.from(encode(meta), 'latin1');
        const at = place % bytes.length;
        bytes[at] = (bytes[at] as number) ^ flip;
        for (const form of ['latin1', 'utf8'] as const) {
          const decoded = decode(bytes.toString(form));
          if (decoded.ok) expect(decoded.meta).toEqual(meta);
          else expect(decoded.field).not.toBe('');
        }
      }),
      1000,
    );
  });

  test('every single changed bit of one meta is found, or is white space', () => {
    const text = encode(exampleMeta());
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        const decoded = decode(changed.toString('latin1'));
        if (decoded.ok) {
          expect(text[at]).toMatch(/[ \n]/);
          expect(decoded.meta).toEqual(exampleMeta());
        }
      }
    }
  });

  test('a text that is cut anywhere is refused', () => {
    const text = encode(exampleMeta());
    for (let length = 0; length < text.length - 1; length++) expect(decode(text.slice(0, length)).ok).toBe(false);
    expect(decode('')).toMatchObject({ field: 'json', text: expect.stringContaining('cut off') });
  });

  test('white space and the order of fields do not matter', () => {
    const fields = JSON.parse(encode(exampleMeta()));
    const reversed = Object.fromEntries(Object.entries(fields).reverse());
    expect(decode(JSON.stringify(reversed))).toEqual({ ok: true, meta: exampleMeta() });
  });

  test.each([
    ['"size": 1049088', '"size": 1049600', 'durable_size'],
    ['"size": 1049088', '"size": -1', 'size'],
    ['"size": 1049088', '"size": 9007199254740993', 'size'],
    ['"size": 1049088', '"size": "1"', 'size'],
    ['"size": 1049088', '"size": null', 'size'],
    ['"fragments": 1', '"fragments": 2', 'fragments'],
    ['"creation_date": "2024', '"creation_date": "2025', 'creation_date'],
    ['"image_name": "client1', '"image_name": "client2', 'image_name'],
    ['"date": 1705314600', '"date": 1705314601', 'creation_date'],
    ['"state": "complete"', '"state": "done"', 'state'],
    ['"state": "complete"', '"state": "pending"', 'checksum'],
    ['"state": "complete",', '', 'state'],
    ['"format": 1', '"format": 2', 'format'],
    ['"format": 1,', '', 'format'],
    ['"lsu": "lsu-01"', '"lsu": "a/b"', 'key.lsu'],
    ['"name": "client1', '"name": ".client1', 'key.name'],
    ['"image_id": "01', '"image_id": "X1', 'image_id'],
    ['"writer_token": "fe', '"writer_token": "', 'writer_token'],
    ['sha256:ab', 'sha256:AB', 'checksum'],
    ['"checksum_mode": "sha256"', '"checksum_mode": "none"', 'checksum'],
    ['"chunk_bytes": 1048576', '"chunk_bytes": 1048575', 'sums.chunk_bytes'],
    ['"chunk_bytes": 1048576', '"chunk_bytes": 524288', 'meta_crc64'],
    ['"length": 512', '"length": 511', 'partial'],
    ['"name": "image.data"', '"name": "../image.data"', 'fragment_list.0.name'],
    ['"crc64": "0000000000000007"', '"crc64": null', 'fragment_list'],
    ['"crc64": "0000000000000007"', '"crc64": "0000000000000008"', 'meta_crc64'],
    ['"definition_opaque": "AQID"', '"definition_opaque": "AQI"', 'definition_opaque'],
    ['"opaque_metadata": "BAU="', '"opaque_metadata": "BAV="', 'opaque_metadata'],
    ['"opaque_metadata"', '"__proto__": {}, "opaque_metadata"', '__proto__'],
    ['"policy": "daily-backup"', '"policy": "weekly"', 'meta_crc64'],
    ['"policy": "daily-backup"', '"policy": ""', 'netbackup_metadata.policy'],
    ['"engine_version": "0.1.0"', '"engine_version": "0.1.0", "more": 1', 'more'],
    ['"engine_version": "0.1.0"', '"engine_version": "0.1.0", "": 1', '""'],
    [/"meta_crc64": ".*"/, '"meta_crc64": 0', 'meta_crc64'],
    [/,\s*"meta_crc64": ".*"/, '', 'meta_crc64'],
  ])('an editor writes %s → %s: %s is named', (from, to, field) => {
    const text = encode(exampleMeta());
    expect(text.replace(from, to)).not.toBe(text);
    const decoded = edited(from, to);
    expect(decoded.ok ? 'accepted' : decoded.field).toBe(field);
    expect(decoded.ok || decoded.text.length).not.toBe(0);
  });

  test.each<[string, (fields: Record<string, unknown>) => void, string]>([
    [
      'sums without a whole chunk but with a CRC',
      (f) =>
        Object.assign(f, {
          size: 512,
          durable_size: 512,
          fragment_list: [{ name: 'image.data', size: 512, crc64: '0'.repeat(16) }],
        }),
      'sums.crc64',
    ],
    [
      'a fragment named twice',
      (f) =>
        Object.assign(f, {
          fragments: 2,
          fragment_list: [
            { name: 'image.data', size: 1_049_088, crc64: '0'.repeat(16) },
            { name: 'image.data', size: 0, crc64: '0'.repeat(16) },
          ],
        }),
      'fragment_list',
    ],
    ['no fragment', (f) => Object.assign(f, { fragments: 0, fragment_list: [] }), 'fragment_list'],
    [
      'a SHA state in a complete image',
      (f) => Object.assign(f, { sha_state: { offset: 64, h: 'a'.repeat(64) } }),
      'sha_state',
    ],
    [
      'bytes as base64 that are UTF-8',
      (f) => Object.assign(f, { netbackup_metadata: { policy: { base64: 'YQ==' }, schedule: null, client: null } }),
      'netbackup_metadata.policy',
    ],
    ['a partial chunk without sums', (f) => Object.assign(f, { sums: null }), 'partial'],
  ])('right CRC, but %s: %s is named', (_, change, field) => {
    const decoded = forged(change);
    expect(decoded.ok ? 'accepted' : decoded.field).toBe(field);
  });

  test('numbers up to 2^53 − 1, and the longest of everything, fit', () => {
    const bytes = (length: number) => new Uint8Array(length).fill(255);
    const fragments = Array.from({ length: 512 }, (_, i) => ({
      name: i === 0 ? 'image.data' : `image.data.${String(i + 10_000_000)}`,
      size: i === 0 ? Number.MAX_SAFE_INTEGER - 511 * 512 : 512,
      crc64: 0xffff_ffff_ffff_ffffn,
    }));
    const meta = exampleMeta({
      basename: '\x01'.repeat(1023),
      lsu: '\xff'.repeat(255),
      date: Number.MAX_SAFE_INTEGER,
      policy: '\x01'.repeat(255),
      schedule: '\x01'.repeat(255),
      client: '\xff'.repeat(255),
      definitionOpaque: bytes(1024),
      opaque: bytes(65_536),
      size: Number.MAX_SAFE_INTEGER,
      fragments,
      partial: { length: Number.MAX_SAFE_INTEGER % 1_048_576, crc64: 1n },
    });
    const text = encode(meta);
    expect(text.length).toBeLessThanOrEqual(metaBytesMax);
    // It travels inside a JSON string in the first half of a lane's area.
    expect(JSON.stringify(text).length).toBeLessThan(250 * 1024);
    expect(decode(text)).toEqual({ ok: true, meta });
  });

  test.each<[string, Partial<ImageMeta>]>([
    ['a size that the fragments do not hold', { size: 5 }],
    ['a complete image without its checksum', { sha256: null }],
    ['an empty field', { policy: '' }],
    ['too much opaque metadata', { opaque: new Uint8Array(65_537) }],
    ['too many opaque bytes', { definitionOpaque: new Uint8Array(1025) }],
    ['no partial chunk where there is one', { partial: null }],
    ['a token that is none', { writerToken: 'x' }],
  ])('%s is never stored', (_, changes) => {
    expect(() => encode(exampleMeta(changes))).toThrow(RangeError);
  });

  test('what is encoded is read again, whatever stands in its fields', () => {
    const texts = [
      '',
      'x',
      'x'.repeat(256),
      'x'.repeat(1024),
      '\0',
      'a\0b',
      '\u0100',
      'AB'.repeat(16),
      'ab'.repeat(17),
    ];
    const numbers = [-1, -0, 0.5, 63, 65, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1', null];
    const crcs = [-1n, 1n << 64n];
    const odd = (name: string, value: unknown) => ({ [name]: value });
    const spoiled = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('lsu', 'basename', 'policy', 'client', 'imageId', 'writerToken', 'sha256', 'engineVersion'),
          fc.constantFrom(...texts, ...texts.map((text) => text.repeat(5))),
        )
        .map(([name, text]) => odd(name, text)),
      fc.tuple(fc.constantFrom('date', 'size'), fc.constantFrom(...numbers)).map(([name, n]) => odd(name, n)),
      fc.constantFrom(...texts).map((text) => odd('state', text)),
      fc.constantFrom(...texts).map((text) => odd('checksumMode', text)),
      fc.constantFrom(...numbers, ...texts).map((n) => odd('sums', { chunkBytes: n, crc64: 9n })),
      fc.constantFrom(...crcs).map((crc64) => odd('sums', { chunkBytes: 1_048_576, crc64 })),
      fc.constantFrom(...crcs).map((crc64) => odd('partial', { length: 512, crc64 })),
      fc.constantFrom(...numbers).map((length) => odd('partial', { length, crc64: 3n })),
      fc
        .tuple(fc.constantFrom(...numbers, 64), fc.constantFrom('', 'ab'.repeat(32)))
        .map(([offset, h]) => ({ state: 'pending', sha256: null, shaState: { offset, h } })),
      fc
        .tuple(
          fc.constantFrom('image.data', 'image.data.1', 'image.data.0002', '../x', ''),
          fc.constantFrom(...numbers, 1_049_088),
          fc.constantFrom(...crcs, 7n, null),
        )
        .map(([name, size, crc64]) => odd('fragments', [{ name, size, crc64 }])),
      fc.constant(
        odd('fragments', [
          { name: 'image.data', size: 1_049_089, crc64: 7n },
          { name: 'image.data.0002', size: -1, crc64: 7n },
        ]),
      ),
      fc.constantFrom(0, 513).map((n) => odd('fragments', Array(n).fill({ name: 'image.data', size: 0, crc64: null }))),
    );
    let refused = 0;
    check(
      fc.property(spoiled, (changes) => {
        const meta = exampleMeta(changes as Partial<ImageMeta>);
        let text: string;
        try {
          text = encode(meta);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          refused++;
          return;
        }
        expect(decode(text)).toMatchObject({ ok: true });
      }),
      1000,
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('dates beyond every calendar are kept, and have no creation date', () => {
    expect(creationDate(0)).toBe('1970-01-01T00:00:00Z');
    expect(creationDate(8_640_000_000_001)).toBeNull();
    const meta = exampleMeta({ date: Number.MAX_SAFE_INTEGER });
    expect(decode(encode(meta))).toEqual({ ok: true, meta });
  });
});
