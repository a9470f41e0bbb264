/** The result on a terminal: each figure with its interval and n, beside its floor. */
import { listings } from './result/listing.ts';
import {
  aaErrors,
  copyFloorOf,
  eachText,
  floorOf,
  isBareFloor,
  moreIsBetter,
  sameLoad,
  sizeText,
  values,
} from './result/rows.ts';
import type { Result, Row, Sample } from './result/schema.ts';
import { estimate, median, pairedRatios } from './result/stats.ts';
import { printable, valueText } from './result/text.ts';

function ratio(row: Row, under: Row | null): string {
  return under === null || under === row ? '-' : median(pairedRatios(values(row), values(under))).toFixed(2);
}

/** The plain plug-in where there is one, else the fastest of the other programs. */
function besides(rows: readonly Row[], row: Row): Row | null {
  const others = rows.filter((one) => sameLoad(one, row) && one.store === row.store);
  const plain = others.find(({ role }) => role === 'plain');
  if (plain !== undefined) return plain;
  const by = (one: Row): number => (moreIsBetter(row.unit) ? -1 : 1) * median(values(one));
  return others.filter(({ role }) => role === 'peer').toSorted((a, b) => by(a) - by(b))[0] ?? null;
}

/** CPU seconds per 10^9 bytes. */
function perGb(row: Row, part: keyof NonNullable<Sample['cpu']>): string {
  const each = row.samples.flatMap(({ cpu, bytes }) => {
    const seconds = cpu?.[part] ?? null;
    return seconds === null || bytes === 0 ? [] : [seconds / (bytes / 1e9)];
  });
  return each.length === 0 || row.unit !== 'B/s' ? '-' : median(each).toFixed(3);
}

/** With what the interval of the row with the fewest samples covers: 95 % from six on, less below. */
function headings(group: readonly [Row, ...Row[]]): string[] {
  const least = Math.min(...group.map((row) => estimate(values(row)).coverage));
  const interval = least > 0 ? `${Math.min(95, Math.floor(least * 100))} % interval` : 'interval';
  const ratios = ['x floor', 'x floor with copy', 'x plain/peer'];
  return [groupTitle(group[0]), 'median', interval, 'n', ...ratios, 'CPU s/GB: host', 'engine', 'rest'];
}

function cells(rows: readonly Row[], row: Row): string[] {
  const { median: middle, low, high, coverage, n } = estimate(values(row));
  const scale = row.unit === 'B/s' ? 1e9 : 1;
  // As many as the median has.
  const digits = row.unit === 'us' || row.unit === 'per s' ? 1 : row.unit === 'B/s' && middle < 1e8 ? 4 : 3;
  return [
    `  ${printable(row.subject)}`,
    valueText(middle, row.unit),
    coverage > 0 ? `${(low / scale).toFixed(digits)} … ${(high / scale).toFixed(digits)}` : '-',
    String(n),
    ratio(row, floorOf(rows, row)),
    isBareFloor(row) ? '-' : ratio(row, copyFloorOf(rows, row)),
    row.role === 'floor' ? '-' : ratio(row, besides(rows, row)),
    perGb(row, 'hostProgram'),
    perGb(row, 'engine'),
    perGb(row, 'rest'),
  ];
}

function table(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  return lines.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function groupTitle({ workload, streams, blockBytes, bytesPerStream }: Row): string {
  const parts = [workload, `${streams} ${streams === 1 ? 'stream' : 'streams'}`];
  if (blockBytes > 0) parts.push(`blocks of ${sizeText(blockBytes)}`);
  if (bytesPerStream > 0) parts.push(eachText({ workload, bytesPerStream }));
  return parts.join(', ');
}

function groups(rows: readonly Row[]): [Row, ...Row[]][] {
  const found: [Row, ...Row[]][] = [];
  for (const row of rows) {
    const group = found.find(([first]) => sameLoad(first, row));
    if (group === undefined) found.push([row]);
    else group.push(row);
  }
  return found;
}

function heading({ conditions, memcpyRate, crcRate, digestRate, startedAt, seconds }: Result): string[] {
  const { cpu, cores, kernel, target, node, engine, loadBefore, warmUps, alternations, data, diskRate } = conditions;
  const rate = (name: string, value: number | null): string[] =>
    value === null ? [] : [`${name} ${valueText(value, 'B/s')}`];
  const alone = [
    ...rate('memcpy', memcpyRate),
    ...rate('CRC-64', crcRate),
    ...rate('CRC-64 and SHA-256 in one pass', digestRate),
  ];
  const made =
    data.dedup === 0
      ? '64 MiB that cannot be compressed, again and again (--dedup 1 makes every MiB new)'
      : `dedup ${data.dedup}, compress ${data.compress}, seed ${data.seed}`;
  return [
    `${printable(cpu)}, ${cores} cores, Linux ${printable(kernel)}, Node ${node}, vast-ost ${printable(engine)}`,
    `target ${printable(target.place)} (${printable(target.fsType)}), ${startedAt}, ${seconds.toFixed(0)} s, load before ${loadBefore.toFixed(2)}`,
    ...(diskRate === null ? [] : [`disk held to ${valueText(diskRate, 'B/s')} each way (--disk-rate)`]),
    `${alternations} alternations behind ${warmUps} to warm up; data: ${made}`,
    ...(alone.length === 0 ? [] : [`alone, one core: ${alone.join(', ')}`]),
  ];
}

/** How far one stream may get ahead of the plain plug-in, when copying and writing overlap wholly. */
function overlapBound({ rows, memcpyRate }: Result): string[] {
  const one = rows.find(
    ({ subject, workload, streams, store }) =>
      subject === 'floor, 1 in flight' && workload === 'write' && streams === 1 && store === 'file',
  );
  if (one === undefined || memcpyRate === null) return [];
  return [`overlap bound over the plain plug-in, one stream: ${(1 + median(values(one)) / memcpyRate).toFixed(2)}`];
}

/** What no mode with SHA-256 can exceed on one lane, beside what it did. */
function digestBound({ rows, digestRate }: Result): string[] {
  if (digestRate === null) return [];
  const own = rows.filter(
    ({ workload, role, mode }) => workload === 'write' && role === 'engine' && mode === 'default',
  );
  return own.map((row) => {
    const part = median(values(row)) / digestRate;
    return `${groupTitle(row)}: ${printable(row.subject)} / CRC-64 and SHA-256 alone on one core ${part.toFixed(2)}`;
  });
}

const shareMin = 0.03;

/** Medians of the parts of each engine's time, the greatest first; what is below 3 % is left out. */
function timeShares(rows: readonly Row[]): string[] {
  const lines = rows.flatMap((row) => {
    const known = row.samples.flatMap(({ shares }) => (shares === null ? [] : [shares]));
    if (known.length === 0 || row.role === 'twin') return [];
    const names = [...new Set(known.flatMap((shares) => Object.keys(shares)))];
    const parts = names
      .map((name) => ({ name, part: median(known.map((shares) => shares[name] ?? 0)) }))
      .filter(({ part }) => part >= shareMin)
      .toSorted((a, b) => b.part - a.part)
      .map(({ name, part }) => `${name} ${(part * 100).toFixed(0)} %`);
    return [`  ${groupTitle(row)}: ${printable(row.subject)}: ${printable(parts.join(', '))}`];
  });
  return lines.length === 0 ? [] : ['', 'where the time went, by the engine:', ...lines];
}

export function textReport(result: Result): string {
  const { rows, noisy } = result;
  const lines = heading(result);
  for (const group of groups(rows)) {
    lines.push('', ...table([headings(group), ...group.map((row) => cells(rows, row))]));
  }
  lines.push('');
  for (const { row, error } of aaErrors(rows)) {
    lines.push(`A/A error ${(error * 100).toFixed(1)} %: ${groupTitle(row)}`);
  }
  lines.push(...overlapBound(result), ...digestBound(result));
  for (const { subject, maxMs, over30Ms, own } of result.stalls) {
    const without =
      own === undefined ? '' : `; without waits for a processor ${own.maxMs.toFixed(0)} ms, ${own.over30Ms}`;
    lines.push(
      `event loop of ${subject}: longest stall ${maxMs.toFixed(0)} ms, seconds with one over 30 ms ${over30Ms}${without}`,
    );
  }
  lines.push(...listings(rows), ...timeShares(rows), '');
  const guards = new Map(rows.map(({ subject, integrity }) => [subject, integrity]));
  for (const [subject, integrity] of guards) {
    if (integrity !== undefined) lines.push(`guarded by: ${printable(subject)}: ${printable(integrity)}`);
  }
  if (noisy.length > 0)
    lines.push('', 'NOISY: no verdict may be drawn from this', ...noisy.map((why) => `  ${printable(why)}`));
  return `${lines.join('\n')}\n`;
}
