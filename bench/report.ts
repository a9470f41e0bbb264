/** The result as text: each figure with its spread, beside its floor. */
import { median, type Result, type Row, spread } from './result.ts';

function gb(rate: number): string {
  return (rate / 1e9).toFixed(2);
}

function find(result: Result, name: string, like: Row): Row | undefined {
  return result.rows.find(
    (row) => row.name === name && row.direction === like.direction && row.streams === like.streams,
  );
}

/** Median over alternations of the ratio within one alternation. */
export function ratio(a: Row, b: Row): number {
  return median(a.samples.map((sample, i) => sample.rate / (b.samples[i]?.rate ?? Number.NaN)));
}

/** The floor with the best median, by https for what goes by https: chosen per direction and number of streams. */
export function bestFloor(result: Result, like: Row): Row | undefined {
  const floors = result.rows.filter(
    (row) =>
      row.name.startsWith('floor') &&
      row.name.includes('https') === like.name.includes('https') &&
      row.direction === like.direction &&
      row.streams === like.streams,
  );
  return fastest(floors);
}

/** The fastest of the other clients. */
function bestPeer(result: Result, like: Row): Row | undefined {
  const peers = result.rows.filter(
    ({ name, direction, streams }) =>
      !/^(floor|engine)/.test(name) && direction === like.direction && streams === like.streams,
  );
  return fastest(peers);
}

function fastest(rows: Row[]): Row | undefined {
  const rate = (row: Row): number => median(row.samples.map((sample) => sample.rate));
  return rows.sort((x, y) => rate(y) - rate(x))[0];
}

function cpu(values: (number | null)[]): string {
  const known = values.filter((value): value is number => value !== null);
  return known.length === 0 ? '-' : median(known).toFixed(3);
}

function line(result: Result, row: Row): string {
  const rates = row.samples.map(({ rate }) => rate);
  const floor = bestFloor(result, row);
  const peer = result.store === 's3' ? bestPeer(result, row) : find(result, 'plain plug-in', row);
  return [
    row.direction.padEnd(8),
    String(row.streams).padStart(3),
    `  ${row.name.padEnd(26)}`,
    gb(median(rates)).padStart(6),
    `±${(spread(rates) * 100).toFixed(0)} %`.padStart(7),
    (floor === undefined ? '-' : ratio(row, floor).toFixed(2)).padStart(9),
    (peer === undefined ? '-' : ratio(row, peer).toFixed(2)).padStart(9),
    cpu(row.samples.map((sample) => sample.hostCpuPerGb)).padStart(10),
    cpu(row.samples.map((sample) => sample.engineCpuPerGb)).padStart(10),
  ].join(' ');
}

export function printReport(result: Result): void {
  const { conditions } = result;
  const out = (text: string): void => void process.stdout.write(`${text}\n`);
  out(
    `${conditions.cpu}, ${conditions.cores} cores, Linux ${conditions.kernel}, ${conditions.directory.fsType}, Node ${conditions.node}`,
  );
  out(
    `${conditions.alternations} alternations, load before ${conditions.loadBefore.toFixed(2)}${conditions.loadBefore > 0.5 ? ' NOISY' : ''}`,
  );
  out(
    `memcpy ${gb(result.memcpyBytesPerSecond)} GB/s, CRC-64 + SHA-256 in one pass alone ${gb(result.digestBytesPerSecond)} GB/s`,
  );
  out('');
  const other = result.store === 's3' ? ' x peer' : 'x plain';
  out(`             subject                       GB/s   spread   x floor   ${other}  host CPU   engine CPU (s/GB)`);
  for (const row of result.rows) if (row.samples.length > 0) out(line(result, row));
  out('');
  for (const row of result.rows.filter(({ name }) => name === 'engine, I/O only')) {
    const twin = find(result, 'engine, I/O only (A/A)', row);
    if (twin !== undefined) out(`A/A ${row.direction} ${row.streams}: ${((ratio(row, twin) - 1) * 100).toFixed(1)} %`);
  }
  for (const row of result.rows.filter(({ name }) => name === 'engine, with sums' || name === 'engine, default')) {
    const before = find(result, row.name === 'engine, default' ? 'engine, with sums' : 'engine, I/O only', row);
    if (before !== undefined)
      out(`${row.direction} ${row.streams}: ${row.name} / ${before.name} ${ratio(row, before).toFixed(2)}`);
  }
  for (const row of result.rows.filter(({ name, direction }) => name === 'engine, default' && direction === 'write')) {
    const rate = median(row.samples.map((sample) => sample.rate));
    out(`write ${row.streams}: default / digest alone ${(rate / result.digestBytesPerSecond).toFixed(2)}`);
  }
  for (const { name, maxMs, over30Ms, own } of result.stalls ?? []) {
    out(`event loops of ${name}: longest stall ${maxMs.toFixed(0)} ms, seconds with one over 30 ms: ${over30Ms}`);
    if (own !== undefined)
      out(`  without waits for a processor: ${own.maxMs.toFixed(0)} ms, seconds over 30 ms: ${own.over30Ms}`);
  }
  const guards = new Map(result.rows.map(({ name, integrity }) => [name, integrity]));
  for (const [name, integrity] of guards) if (integrity !== undefined) out(`guarded by: ${name}: ${integrity}`);
  const one = result.rows.find(
    ({ name, direction, streams }) => name === 'floor, 1 in flight' && direction === 'write' && streams === 1,
  );
  if (one !== undefined) {
    const device = median(one.samples.map(({ rate }) => rate));
    out(`overlap bound over the plain plug-in: ${(1 + device / result.memcpyBytesPerSecond).toFixed(2)}`);
  }
  if (result.small !== null) {
    const { bareMs, engineMs } = result.small;
    const pairs = engineMs.map((ms, i) => ms / (bareMs[i] ?? Number.NaN));
    out(
      `small image, p50: ${median(engineMs).toFixed(2)} ms, bare sequence ${median(bareMs).toFixed(2)} ms, ratio ${median(pairs).toFixed(2)} ±${(spread(pairs) * 100).toFixed(0)} %`,
    );
  }
  if (result.control !== null) {
    const { p50Us, p99Us, laneMeanUs, handoverUs = Number.NaN, calls } = result.control;
    out(
      `control round trip (${calls} calls): p50 ${p50Us.toFixed(0)} µs, p99 ${p99Us.toFixed(0)} µs, in the lane ${laneMeanUs.toFixed(0)} µs, engine's own share ${(p50Us - laneMeanUs).toFixed(0)} µs; four bare hand-overs ${handoverUs.toFixed(0)} µs`,
    );
  }
}
