/**
 * What is fuzzed: each parser that reads bytes from outside, with the promises that hold for any input. `run` throws when
 * one is broken and else returns what the parser made of it, in few words: inputs with new words are kept.
 */
import assert from 'node:assert/strict';
import { ConfigError, parseConfig } from '../../engine/config.ts';
import { exampleConfig } from '../../engine/config-keys.ts';
import { FrameCutter } from '../../engine/core/frames.ts';
import { FrameError } from '../../engine/core/layout.ts';
import {
  decodeReply,
  decodeRequest,
  encodeBare,
  encodeFrame,
  encodeReply,
  frame,
  wire,
} from '../../engine/core/wire.ts';
import { decodeClaim, encodeClaim } from '../../engine/image/claim.ts';
import { decodeLsu, encodeLsu } from '../../engine/image/lsu.ts';
import { decodeMarker, encodeMarker } from '../../engine/image/marker.ts';
import { decodeMeta, encodeMeta } from '../../engine/image/meta.ts';
import { imageDirName, lsuDirName, parseImageDirName, parseLsuDirName } from '../../engine/image/names.ts';
import { decodeSums, decodeSumsHeader, encodeSums, encodeSumsHeader } from '../../engine/image/sums.ts';
import { parseIni } from '../../engine/ini.ts';
import { crc64 } from '../support/crc64.ts';
import { exampleMeta } from '../support/metas.ts';

export interface Target {
  readonly name: string;
  /** Good inputs to begin with. */
  readonly seeds: readonly Buffer[];
  /** Words and numbers worth inserting. */
  readonly words: readonly string[];
  run(input: Buffer): string;
  /** Makes a check sum right again, so that the code behind it is reached too. */
  repair?(input: Buffer): Buffer;
}

const machine = { cores: 4, memoryBytes: 2 ** 33, cgroupBytes: Infinity };
const latin1 = (text: string) => Buffer.from(text, 'latin1');

const ini: Target = {
  name: 'ini',
  seeds: [latin1(exampleConfig()), latin1('[a]\r\nb=c\r\n'), latin1('\xef\xbb\xbf[a]\nb=\n')],
  words: ['[', ']', '=', '\n', '\r\n', '#', ';', '\t', '\0', '\x7f', '\xef\xbb\xbf', '[general]\n', 'a = b\n'],
  run(input) {
    const { sections, problems } = parseIni(input.toString('latin1'));
    const lines = input.toString('latin1').split('\n').length;
    for (const { line } of problems) assert(line >= 1 && line <= lines, `line ${line} of ${lines}`);
    const keys = sections.flatMap(({ entries }) => entries);
    assert(keys.length <= 512);
    // What was read is read again from its plain form.
    const plain = sections.map((one) => `[${one.name}]\n${one.entries.map((e) => `${e.key} = ${e.value}\n`).join('')}`);
    const again = parseIni(plain.join(''));
    if (plain.join('').length <= 65_536) {
      assert.deepEqual(again.problems, []);
      assert.deepEqual(
        again.sections.flatMap(({ entries }) => entries.map(({ key, value }) => [key, value])),
        keys.map(({ key, value }) => [key, value]),
      );
    }
    return `${sections.length > 0} ${Math.min(keys.length, 4)} ${problems[0]?.remedy}`;
  },
};

const config: Target = {
  name: 'config',
  seeds: [latin1(exampleConfig()), latin1('[engine]\nmax_memory_mb = 64\nhandles_max = 16\n')],
  words: [
    ...ini.words,
    'true',
    'false',
    '-',
    '/',
    '0',
    '63',
    '4096',
    '99999999999999999999',
    '0660',
    'sha256',
    'none',
    '\xff',
  ],
  run(input) {
    try {
      const { engine, general } = parseConfig(input, 'x', machine);
      assert(
        engine.handlesMax * 4 * 2 ** 20 <= engine.maxMemoryBytes && general.blockBytes <= engine.maxMemoryBytes / 2,
      );
      return 'ok';
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      assert(error.problems.length > 0);
      return error.problems
        .map(({ remedy }) => remedy)
        .slice(0, 2)
        .join();
    }
  },
};

const metas = [
  exampleMeta(),
  exampleMeta({ state: 'pending', sha256: null, shaState: { offset: 64, h: 'ab'.repeat(32) } }),
  exampleMeta({
    sums: null,
    partial: null,
    checksumMode: 'none',
    sha256: null,
    policy: '\xff',
    fragments: [{ name: 'image.data', size: 1_049_088, crc64: null }],
  }),
];
const meta: Target = {
  name: 'meta',
  seeds: metas.map((one) => latin1(encodeMeta(one, crc64))),
  words: [
    'null',
    '-0',
    '-1',
    '1e3',
    '9007199254740991',
    '9007199254740992',
    '"',
    '{}',
    '[]',
    '"__proto__": ',
    '\\u0000',
    '\\ud800',
    '=2E',
    '~',
    'pending',
    'complete',
  ],
  run(input) {
    const decoded = decodeMeta(input.toString('latin1'), crc64);
    if (!decoded.ok) {
      assert(decoded.field !== '' && decoded.text !== '');
      return `${decoded.field} ${decoded.text.slice(0, 12)}`;
    }
    const text = encodeMeta(decoded.meta, crc64);
    assert.deepEqual(decodeMeta(text, crc64), decoded);
    return `ok ${decoded.meta.state} ${decoded.meta.fragments.length}`;
  },
  repair(input) {
    let fields: Record<string, unknown>;
    try {
      fields = JSON.parse(input.toString('latin1')) as Record<string, unknown>;
      delete fields.meta_crc64;
    } catch {
      return input;
    }
    const body = `${JSON.stringify(fields, null, 2)}\n`;
    const sum = crc64(latin1(body)).toString(16).padStart(16, '0');
    return latin1(JSON.stringify({ ...fields, meta_crc64: sum }));
  },
};

const sums: Target = {
  name: 'sums',
  seeds: [
    Buffer.concat([
      encodeSumsHeader({ chunkBytes: 1_048_576, imageId: 'ab'.repeat(16) }, crc64),
      encodeSums([1n, 2n ** 64n - 1n]),
    ]),
  ],
  words: ['VOSTSUMS', '\x00\x00\x10\x00', '\x00\x10\x00\x00', '\x01\x00\x00\x00', '\xff\xff\xff\xff'],
  run(input) {
    const rest = decodeSums(input.subarray(64));
    assert.deepEqual(Buffer.from(encodeSums(rest)), input.subarray(64, 64 + rest.length * 8));
    const decoded = decodeSumsHeader(input, crc64);
    if (!decoded.ok) return decoded.field;
    assert.deepEqual(Buffer.from(encodeSumsHeader(decoded.header, crc64)), input.subarray(0, 64));
    return `ok ${decoded.header.chunkBytes}`;
  },
  repair(input) {
    if (input.length < 64) return input;
    const copy = Buffer.from(input);
    copy.writeBigUInt64LE(crc64(copy.subarray(0, 56)), 56);
    return copy;
  },
};

const claim: Target = {
  name: 'claim',
  seeds: [
    latin1(
      encodeClaim({ token: 'ab'.repeat(16), machineId: 'a1', bootId: 'b-1', pidNamespace: 4, pid: 5, startTime: 6 }),
    ),
  ],
  words: ['null', '-1', '1e3', '"', '{}', '[]', '9007199254740992'],
  run(input) {
    const decoded = decodeClaim(input.toString('latin1'));
    if (decoded === null) return 'none';
    assert.deepEqual(decodeClaim(encodeClaim(decoded)), decoded);
    return 'ok';
  },
};

const small: Target = {
  name: 'store-files',
  seeds: [
    latin1(encodeMarker({ storeId: 'ab'.repeat(16), createdAt: '2026-01-01T00:00:00.000Z' })),
    latin1(encodeLsu({ lsu: 'a', label: 'b c' })),
  ],
  words: ['null', '"', '{}', '=2E', '=FF', '"label"', '"name"'],
  run(input) {
    const text = input.toString('latin1');
    const marker = decodeMarker(text);
    if (marker.ok) assert.deepEqual(decodeMarker(encodeMarker(marker.marker)), marker);
    const lsu = decodeLsu('a', text);
    if (lsu.ok) assert.deepEqual(decodeLsu('a', encodeLsu(lsu.info)), lsu);
    return `${marker.ok ? 'ok' : marker.field} ${lsu.ok ? 'ok' : lsu.field}`;
  },
};

const names: Target = {
  name: 'names',
  seeds: ['a~1', '=2E.~0', imageDirName('x'.repeat(300), 5), 'a=7Eb~9007199254740991'].map(latin1),
  words: ['~', '=', '=~', '=2E', '.', '0', '9007199254740992', 'a'.repeat(64)],
  run(input) {
    const dir = input.toString('latin1');
    const image = parseImageDirName(dir);
    if (image !== null && image !== 'hashed') assert.equal(imageDirName(image.basename, image.date), dir);
    const lsu = parseLsuDirName(dir);
    if (lsu !== null && lsu !== 'hashed') assert.equal(lsuDirName(lsu.lsu), dir);
    // Any bytes are a name, too, and one that harms nobody.
    if (dir !== '') assert.match(imageDirName(dir, 0), /^[A-Za-z0-9_=-][A-Za-z0-9._=~-]{0,199}$/);
    return `${image === null ? 'none' : typeof image} ${lsu === null ? 'none' : typeof lsu}`;
  },
};

const hello = encodeFrame('hello', frame.hello, 1, {
  magic: wire.magic,
  major: 1,
  minor: 0,
  pid: 2,
  job: 'j',
  server: 'VastData:x',
});
const submit = encodeFrame('submit', frame.submit, 0, {
  arena: 1,
  slot: 2,
  slot_offset: 512,
  length: 1024,
  offset: 2 ** 40,
  sequence: 3,
});
const frames: Target = {
  name: 'frames',
  seeds: [
    Buffer.concat([hello, submit, encodeBare(frame.status, 5)]),
    encodeFrame('metadata', frame.metadataWrite, 7, { offset: 0, length: 4 }, latin1('meta')),
    encodeReply(9, 204, 28, 'no space left', latin1('body')),
  ],
  words: [
    '\xff\xff\xff\xff',
    '\xff\xff\xff\xff\xff\xff\xff\xff',
    '\x10\x00\x00\x00',
    '\x00\x00\x00\x00',
    '\x00\x20\x01\x00',
  ],
  run(input) {
    const seen: string[] = [];
    const cutter = new FrameCutter();
    const step = 1 + (input[0] ?? 0) * 3;
    try {
      for (let at = 0; at < input.length; at += step) {
        cutter.push(input.subarray(at, at + step), (from, begin, length) => {
          const bytes = from.subarray(begin, begin + length);
          if (bytes.readUInt16LE(4) === frame.reply) seen.push(`reply ${decodeReply(bytes).status > 0}`);
          else seen.push(String(decodeRequest(from, begin, length).type));
        });
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      seen.push(error.message.replace(/[0-9]+/g, 'n'));
    }
    return seen.slice(0, 2).join();
  },
};

export const targets: readonly Target[] = [ini, config, meta, sums, claim, small, names, frames];
