/** Pages of a list of images: as the plug-in's unpacking (native/plugin/test/test-lists.c) takes them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ListedDef, PackedPage, WholePage } from '../../engine/core/image-page.ts';
import { readStruct } from '../../engine/core/layout.ts';
import { imageDef, layouts, wire } from '../../engine/core/wire.ts';

/** Read back by the header's own words. */
function read(body: Buffer): ListedDef[] {
  const { count } = readStruct(layouts.imagePage, body, 0);
  let at: number = layouts.imagePage.size;
  const defs: ListedDef[] = [];
  for (let i = 0; i < count; i++) {
    const head = readStruct(layouts.listed, body, at);
    expect(head.reserved).toBe(0);
    let from = at + layouts.listed.size;
    const take = (bytes: number): Buffer => {
      from += bytes;
      return body.subarray(from - bytes, from);
    };
    const [basename, policy, schedule, client] = [
      head.basename_length,
      head.policy_length,
      head.schedule_length,
      head.client_length,
    ].map((bytes) => take(bytes).toString('latin1'));
    const opaque = new Uint8Array(take(head.opaque_length));
    defs.push({ basename, date: head.date, policy, schedule, client, opaque });
    const end = Math.ceil(from / 8) * 8;
    expect(body.subarray(from, end).every((byte) => byte === 0)).toBe(true);
    at = end;
  }
  expect(at).toBe(body.length);
  return defs;
}

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const field = fc.string({ unit: byte, maxLength: 255 });
const anyDef = fc.record({
  basename: fc.string({ unit: byte, minLength: 1, maxLength: 1023 }),
  date: fc.maxSafeNat(),
  policy: field,
  schedule: field,
  client: field,
  opaque: fc.uint8Array({ maxLength: wire.opaqueMax }).map((bytes) => new Uint8Array(bytes)),
});

test('what was added stands in the page, and nothing of the page before', () => {
  const page = new PackedPage();
  fc.assert(
    fc.property(fc.array(anyDef, { maxLength: 12 }), (defs) => {
      page.clear();
      for (const def of defs) expect(page.add(def)).toBe(true);
      expect(read(page.take())).toEqual(defs);
    }),
    { numRuns: 60 },
  );
});

test('a page has room for so many images, and for so many bytes', () => {
  const page = new PackedPage();
  for (let i = 0; i < wire.listPageMax; i++) expect(page.add({ basename: `${i}`, date: i })).toBe(true);
  expect(page.add({ basename: 'one more' })).toBe(false);
  expect(read(page.take())).toHaveLength(wire.listPageMax);
  page.clear();
  const longest = {
    basename: 'n'.repeat(wire.basenameMax - 1),
    policy: 'p'.repeat(wire.fieldMax - 1),
    schedule: 's'.repeat(wire.fieldMax - 1),
    client: 'c'.repeat(wire.fieldMax - 1),
    opaque: new Uint8Array(wire.opaqueMax).fill(1),
  };
  let count = 0;
  while (page.add(longest)) count++;
  const body = page.take();
  expect(read(body)).toHaveLength(count);
  expect(body.length).toBeLessThanOrEqual(layouts.imagePage.size + wire.listPageBytes);
  expect(count).toBe(Math.floor(wire.listPageBytes / 2832));
});

test('what does not fit its field is a bug', () => {
  const page = new PackedPage();
  expect(() => page.add({ basename: '' })).toThrow('a name fits');
  expect(() => page.add({ basename: 'n'.repeat(wire.basenameMax) })).toThrow('a name fits');
  expect(() => page.add({ basename: 'n', opaque: new Uint8Array(wire.opaqueMax + 1) })).toThrow('opaque bytes fit');
  expect(() => page.add({ basename: 'n', policy: 'p'.repeat(wire.fieldMax) })).toThrow(RangeError);
});

test('whole definitions, for older plug-ins, leave nothing of those before', () => {
  const page = new WholePage();
  const first = { basename: 'a long name', date: 2 ** 40, policy: 'policy', opaque: new Uint8Array([1, 2, 3]) };
  for (let i = 0; i < wire.listWholeMax; i++) expect(page.add(first)).toBe(true);
  expect(page.add(first)).toBe(false);
  const body = page.take();
  expect(body.readUInt32LE(0)).toBe(wire.listWholeMax);
  const last = readStruct(imageDef, body, body.length - imageDef.size);
  expect(last).toMatchObject({ basename: 'a long name', date: 2 ** 40, policy: 'policy', opaque_length: 3 });
  page.clear();
  page.add({ basename: 'b', date: 1 });
  const whole = Buffer.alloc(layouts.imagePage.size + imageDef.size);
  whole.writeUInt32LE(1, 0);
  whole.write('b', layouts.imagePage.size);
  whole.writeUInt32LE(1, layouts.imagePage.size + imageDef.offsets.date);
  expect(page.take().equals(whole)).toBe(true);
});
