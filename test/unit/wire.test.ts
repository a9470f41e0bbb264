/** The C header is the truth: this compiles it and holds every number of wire.ts against it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { FrameCutter } from '../../engine/core/frames.ts';
import { FrameError, type Layout } from '../../engine/core/layout.ts';
import * as w from '../../engine/core/wire.ts';

const dir = mkdtempSync(join(tmpdir(), 'vast-ost-wire-'));
afterAll(() => rmSync(dir, { recursive: true }));
const header = new URL('../../native/wire/wire.h', import.meta.url).pathname;

function upper(name: string): string {
  return name.replaceAll(/([A-Z])/g, '_$1').toUpperCase();
}

function askC(expressions: string[]): number[] {
  const lines = expressions.map((expression) => `printf("%llu\\n", (unsigned long long)(${expression}));`);
  const source = `#include <stddef.h>\n#include <stdio.h>\n#include "${header}"\nint main(void) {\n${lines.join('\n')}\nreturn 0; }\n`;
  writeFileSync(join(dir, 'ask.c'), source);
  execFileSync('gcc', ['-std=c11', '-Wall', '-Werror', '-o', join(dir, 'ask'), join(dir, 'ask.c')]);
  return execFileSync(join(dir, 'ask'), { encoding: 'utf8' }).trim().split('\n').map(Number);
}

function compare(pairs: [string, number][]): void {
  const truth = askC(pairs.map(([expression]) => expression));
  const ours = Object.fromEntries(pairs);
  expect(ours).toEqual(Object.fromEntries(pairs.map(([expression], i) => [expression, truth[i]])));
}

describe('wire.ts states what wire.h states', () => {
  test('limits', () => {
    compare(Object.entries(w.wire).map(([name, value]) => [`WIRE_${upper(name)}`, value]));
  });

  test('frame types and flags', () => {
    const pairs: [string, number][] = Object.entries(w.frame).map(([name, value]) => [`WIRE_${upper(name)}`, value]);
    pairs.push(['WIRE_LIST_COMPLETE', w.listState.complete], ['WIRE_LIST_PENDING', w.listState.pending]);
    pairs.push(['WIRE_CAP_COPY_IMAGE', w.capability.copyImage], ['WIRE_CAP_WRITE_RANDOM', w.capability.writeRandom]);
    pairs.push(['WIRE_CAP_READ_METADATA', w.capability.readMetadata], ['WIRE_LSU_ACTIVE', w.lsuFlag.active]);
    pairs.push(['WIRE_MODE_READ', w.openMode.read], ['WIRE_MODE_WRITE', w.openMode.write]);
    pairs.push(['WIRE_II_PENDING', w.imageState.pending], ['WIRE_II_CREATED', w.imageState.created]);
    pairs.push(['WIRE_II_BUSY_WRITE', w.imageState.busyWrite], ['WIRE_II_DAMAGED', w.imageState.damaged]);
    pairs.push(['WIRE_CLOSE_COMPLETE', w.closeFlag.complete], ['WIRE_COPY_REFLINK', w.copyMethod.reflink]);
    pairs.push(['WIRE_COPY_RANGE', w.copyMethod.range], ['WIRE_COPY_LANES', w.copyMethod.lanes]);
    compare(pairs);
  });

  test('every struct: size and each offset', () => {
    const pairs: [string, number][] = [];
    const all = [w.header, w.imageDef, ...Object.values(w.layouts)] as unknown as Layout<Record<string, never>>[];
    for (const layout of all) {
      pairs.push([`sizeof(struct ${layout.name})`, layout.size]);
      for (const [field, offset] of Object.entries(layout.offsets)) {
        pairs.push([`offsetof(struct ${layout.name}, ${field})`, offset as number]);
      }
    }
    compare(pairs);
  });
});

describe('frames', () => {
  test('a frame comes back as it was written, cut from a stream at any borders', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 100 }),
        (ids, cut) => {
          const stream = Buffer.concat(
            ids.map((id) =>
              w.encodeFrame('submit', w.frame.submit, 0, {
                arena: id,
                slot: 1,
                length: 512,
                offset: 2 ** 40 + id,
                sequence: id,
              }),
            ),
          );
          const cutter = new FrameCutter();
          const seen: number[] = [];
          for (let at = 0; at < stream.length; at += cut) {
            cutter.push(stream.subarray(at, at + cut), (from, start, length) => {
              const body = w.decodeRequest(from, start, length).body as w.FrameOf<'submit'>;
              expect(body.offset).toBe(2 ** 40 + body.sequence);
              seen.push(body.sequence);
            });
          }
          expect(seen).toEqual(ids);
        },
      ),
      { seed: Number(process.env.VAST_OST_SEED ?? 20260101) },
    );
  });

  test('any bytes at all either decode or raise FrameError', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 400 }),
        fc.constantFrom(...Object.values(w.frame)),
        (raw, type) => {
          const bytes = Buffer.from(raw);
          bytes.writeUInt32LE(bytes.length, 0);
          bytes.writeUInt16LE(type, 4);
          try {
            w.decodeRequest(bytes, 0, bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(FrameError);
          }
        },
      ),
      { seed: Number(process.env.VAST_OST_SEED ?? 20260101), numRuns: 2000 },
    );
  });

  test.each([0, 15, w.wire.frameMax + 1, 0xffffffff])('a length of %i is refused', (length) => {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32LE(length, 0);
    expect(() => new FrameCutter().push(bytes, () => undefined)).toThrow(FrameError);
  });

  test('a string without its end, a number above 2^53, a tail that does not belong', () => {
    const lsu = w.encodeFrame('lsu', w.frame.lsuProp, 1, {});
    lsu.fill(65, 16);
    expect(() => w.decodeRequest(lsu, 0, lsu.length)).toThrow(/no end/);
    const flush = w.encodeFrame('flush', w.frame.flush, 1, { sequence: 1 });
    flush.fill(0xff, 16);
    expect(() => w.decodeRequest(flush, 0, flush.length)).toThrow(/2\^53/);
    expect(() => w.decodeRequest(Buffer.concat([lsu, Buffer.alloc(1)]), 0, lsu.length + 1)).toThrow(/expected/);
  });

  test('a reply carries its text cut at a character and its body aligned', () => {
    const reply = w.decodeReply(w.encodeReply(7, 204, 11, `${'ü'.repeat(600)}\nx`, Buffer.from([1, 2, 3])));
    expect(reply).toMatchObject({ callId: 7, status: 204, sysErrno: 11 });
    expect(reply.text).toBe('ü'.repeat(512));
    expect([...reply.body]).toEqual([1, 2, 3]);
  });
});
