/** Results of a bench for tests of what reads them; nothing in them was measured. */
import * as fc from 'fast-check';
import { type Result, type Row, resultSchema, type Sample } from '../../bench/result/schema.ts';

export const row = (values: readonly number[], over: Partial<Row> = {}): Row => ({
  workload: 'write',
  subject: 'engine, default',
  role: 'engine',
  mode: 'default',
  store: 'file',
  streams: 4,
  blockBytes: 64 << 20,
  bytesPerStream: 1 << 30,
  unit: 'B/s',
  samples: values.map((value, i) => sample(value, { at: 10 * i })),
  ...over,
});

/** Five seconds of even flow. */
export const sample = (value: number, over: Partial<Sample> = {}): Sample => ({
  value,
  seconds: 5,
  bytes: value * 5,
  cpu: { hostProgram: 1, engine: 2, rest: 0.5 },
  latency: [{ call: 'write', n: 100, p50Us: 10, p90Us: 20, p99Us: 30, p999Us: 40, maxUs: 50 }],
  series: [],
  shares: { copy: 0.25, device: 0.75 },
  counters: { 'tcp.retransSegs': 3 },
  ...over,
});

export function result(rows: readonly Row[], over: Partial<Result> = {}): Result {
  return resultSchema.parse({
    schema: 'vast-ost-bench/2',
    id: '0123456789abcdef0123456789abcdef',
    startedAt: '2026-01-01T00:00:00.000Z',
    seconds: 1000,
    arguments: ['--quick'],
    conditions: {
      host: 'media1',
      cpu: 'CPU',
      cores: 2,
      numaNodes: 1,
      governors: [],
      memoryBytes: 1e9,
      kernel: '6',
      node: 'v26',
      engine: '0.1.0',
      virtualization: null,
      target: { place: '/data', fsType: 'ext4', mountPoint: '/', options: 'rw' },
      interfaces: [{ name: 'eth0', mbitPerS: 100_000, mtu: 9000, driver: 'mlx5_core' }],
      loadBefore: 0,
      tools: { fio: 'fio-3.33', mc: null },
      data: { dedup: 1, compress: 1, seed: 1 },
      diskRate: null,
      warmUps: 1,
      alternations: 7,
    },
    noisy: [],
    cut: null,
    memcpyRate: 1e10,
    digestRate: 1.6e9,
    crcRate: 1e10,
    micro: [],
    rows,
    ...over,
  });
}

/** What somebody may have put where a result has text. */
export const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '</svg><script>alert(1)</script>',
    '"onload="x',
    "'--><b>",
    '=1+1',
    'a\r\nb,"c"',
    '\u001b[2J',
    '\u202e',
    '&amp;',
  ),
);
