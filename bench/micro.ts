/** The micro half: parts alone, by tinybench. */

import { createRing, RingReader, RingWriter } from 'sharedarraybuffer-ring';
import { Bench } from 'tinybench';
import { decodeRequest, encodeFrame, encodeReply, frame } from '../engine/core/wire.ts';
import { decodeMeta, encodeMeta } from '../engine/image/meta.ts';
import { parseIni } from '../engine/ini.ts';
import { Coverage } from '../engine/transfer/coverage.ts';
import { WritePlan } from '../engine/transfer/write-plan.ts';
import { addon } from '../native/addon/index.ts';
import { configText } from '../test/support/engine.ts';
import { exampleMeta } from '../test/support/metas.ts';

export async function micro(): Promise<void> {
  const bench = new Bench({ time: 300, warmupTime: 100 });
  const ring = createRing(64);
  const writer = new RingWriter(ring);
  const reader = new RingReader(ring);
  const record = new Int32Array(16);
  bench.add('ring: write, publish, read, release', () => {
    writer.tryWrite(record);
    writer.publish();
    reader.tryRead(record);
    reader.release();
  });
  const submit = encodeFrame('submit', frame.submit, 0, { arena: 1, slot: 1, length: 512, offset: 0, sequence: 1 });
  bench.add('codec: decode SUBMIT', () => void decodeRequest(submit, 0, submit.length));
  bench.add(
    'codec: encode SLOT_FREE',
    () => void encodeFrame('slotFree', frame.slotFree, 0, { arena: 1, slot: 1, sequence: 1 }),
  );
  bench.add('codec: encode an empty reply', () => void encodeReply(1, 0, 0, '', null));
  const crc = (bytes: Uint8Array): bigint => addon.crcBytes(0n, bytes, bytes.length);
  const meta = encodeMeta(exampleMeta(), crc);
  bench.add('meta: decode', () => void decodeMeta(meta, crc));
  const conf = configText('/x');
  bench.add('ini: parse', () => void parseIni(conf));
  const mebibyte = new Uint8Array(1 << 20);
  bench.add('crc64: 1 MiB', () => void crc(mebibyte));
  bench.add('crc64: combine', () => void addon.crcCombine(1n, 2n, 1 << 20));
  const arena = addon.arenaOpen(4 << 20);
  const crcs = new BigUint64Array(8);
  bench.add('addon: call without work', () => void addon.crcKind());
  bench.add('digest: 4 MiB, CRC-64 only', () => void addon.digestSlot(arena, 0, 4 << 20, 0, 1 << 20, 0, crcs));
  const sha = addon.shaOpen();
  bench.add('digest: 4 MiB, CRC-64 + SHA-256', () => void addon.digestSlot(arena, 0, 4 << 20, 0, 1 << 20, sha, crcs));
  let sequence = 0;
  let offset = 0;
  const plan = new WritePlan({ blocksInFlight: 2, align: 512, end: 0 });
  const coverage = new Coverage({ crcCombine: addon.crcCombine, sums: true });
  const block = new BigUint64Array(64);
  bench.add('plan and coverage of one 64 MiB block', () => {
    plan.submit({ slot: 0, slotOffset: 0, offset, length: 64 << 20, sequence: ++sequence });
    const piece = plan.next();
    const digest = plan.nextDigest();
    if (digest !== null) plan.digested(digest);
    if (piece !== null) plan.written(piece);
    coverage.cover(offset, 64 << 20, block);
    offset += 64 << 20;
  });
  await bench.run();
  addon.arenaClose(arena);
  addon.shaClose(sha);
  process.stdout.write('micro (tinybench)                              ops/s          mean µs   ± %\n');
  for (const { name, result } of bench.tasks) {
    if (result?.state !== 'completed') throw new Error(`${name}: ${result?.state}`);
    const { throughput, latency } = result;
    process.stdout.write(
      `${name.padEnd(40)} ${Math.round(throughput.mean).toLocaleString('en').padStart(14)} ${(latency.mean * 1000).toFixed(2).padStart(14)} ${latency.rme.toFixed(1).padStart(6)}\n`,
    );
  }
  process.stdout.write('\n');
}
