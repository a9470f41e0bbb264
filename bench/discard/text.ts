/** The model for a terminal: its terms, the check against measured rows, and servers that do not stand here. */
import type { Mode, Prediction, Terms } from '../model/types.ts';
import type { Row } from '../result/schema.ts';
import { estimate, median } from '../result/stats.ts';
import { type Checked, checkRows, errorAim, isMet, isWide } from './check.ts';
import { counter } from './clients.ts';
import { modes } from './engine.ts';
import { asShipped, grid, project, terabyte } from './projection.ts';
import { subjectName } from './rows.ts';
import { machineOf, type Shape } from './terms.ts';

const mib = 1 << 20;
const directions = ['write', 'restore'] as const;

const gb = (rate: number): string => (rate / 1e9).toFixed(2);
/** Of a cost: 1 / 0: there is none. */
const rateOf = (cost: number): string => gb(1 / cost).padStart(6);
const microseconds = (seconds: number): string => (seconds * 1e6).toFixed(0);

function termsLine({ direction, mode, streams, blockBytes }: Shape, terms: Terms): string {
  const { copy, digest, coordinatorS, laneS, imagesS } = terms;
  const digested =
    digest === null ? ''.padStart(15) : `${rateOf(digest.alone)}, ${rateOf(digest.besideCopies)}`.padStart(15);
  return [
    `${direction}, ${mode}`.padEnd(24),
    `${streams}`.padStart(7),
    `${blockBytes / mib}`.padStart(6),
    `${rateOf(copy.alone)}, ${rateOf(copy.besideCopies)}, ${rateOf(copy.besideDigests)}`.padStart(24),
    digested,
    `${microseconds(coordinatorS)}, ${microseconds(laneS)}`.padStart(12),
    `${(imagesS * 1000).toFixed(1)}`.padStart(8),
  ].join(' ');
}

export function termsText(rows: readonly Row[]): string {
  const { terms } = machineOf(rows);
  const lines = checkRows(rows).map(({ load }) => termsLine(load, terms(load)));
  const any = lines.length === 0 ? [] : [handOvers(terms, rows)];
  const head = `${'terms, GB/s of one core'.padEnd(24)} streams    MiB copy: alone, copies, digests  digest: copies   coord, lane µs images ms`;
  return `${[head, ...lines, ...any].join('\n')}\n`;
}

function handOvers(terms: (shape: Shape) => Terms, rows: readonly Row[]): string {
  const [first] = checkRows(rows) as [Checked];
  const { processS, threadS } = terms(first.load);
  return `hand-over between processes ${microseconds(processS)} µs, between threads ${microseconds(threadS)} µs`;
}

/** The orders themselves: how many, how fast, what they cost. */
export function ordersText(rows: readonly Row[]): string {
  const bare = rows.filter(({ subject }) => subject === subjectName.submitter);
  const lines = bare.map((row) => {
    const each = (read: (sample: Row['samples'][number]) => number): number => median(row.samples.map(read));
    const blocks = (name: string) => each(({ counters }) => (counters[name] ?? 0) / (counters[counter.blocks] ?? 1));
    const { median: middle, low, high, n } = estimate(row.samples.map(({ value }) => value));
    const late = (of: 'p50Us' | 'p99Us') => each(({ latency }) => latency[0]?.[of] ?? Number.NaN).toFixed(0);
    const perSecond = each(({ counters, seconds }) => (counters[counter.blocks] ?? 0) / seconds);
    return [
      row.subject.padEnd(24),
      `${row.streams}`.padStart(7),
      `${row.blockBytes / mib}`.padStart(6),
      `${gb(middle)} (${gb(low)}–${gb(high)}, n ${n})`.padStart(32),
      perSecond.toFixed(0).padStart(9),
      blocks(counter.coordinator).toFixed(1).padStart(8),
      blocks(counter.lanes).toFixed(1).padStart(9),
      `${late('p50Us')}, ${late('p99Us')}`.padStart(16),
    ].join(' ');
  });
  const head = `${'orders without a device'.padEnd(24)} streams    MiB ${'GB/s'.padStart(32)}  orders/s coord µs  lanes µs  p50, p99 µs`;
  return `${[head, ...lines].join('\n')}\n`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}

export function checkText(checked: readonly Checked[]): string {
  if (checked.length === 0) return '';
  const lines = checked.map((point) => {
    const { row, measured, predicted, prediction, error, others } = point;
    return [
      `${row.subject}`.padEnd(24),
      row.workload.padEnd(8),
      `${row.streams}`.padStart(7),
      `${row.blockBytes / mib}`.padStart(6),
      gb(predicted).padStart(10),
      `${gb(measured.median)} (${gb(measured.low)}–${gb(measured.high)}, n ${measured.n})`.padStart(28),
      others.toFixed(2).padStart(6),
      percent(error).padStart(7),
      `${isMet(point) ? ' ' : '!'}${isWide(point) ? '~' : ' '}`,
      `${prediction.limit}, then ${prediction.next}`,
    ].join(' ');
  });
  const met = checked.filter(isMet);
  const wide = checked.filter(isWide);
  const head = `${'model'.padEnd(24)} workload streams    MiB  predicted ${'measured, GB/s'.padStart(28)} others   error   limit`;
  const errors = checked.map(({ error }) => Math.abs(error));
  const aim = percent(errorAim);
  const end = `${met.length} of ${checked.length} points within ${aim}, median error ${percent(median(errors))}; ! beyond it; ~ the point's own samples lie farther apart than ± ${aim}: ${wide.length} points, ${wide.filter(isMet).length} of them within`;
  return `${[head, ...lines, end].join('\n')}\n`;
}

function cell({ rate, limit }: Prediction): string {
  return `${gb(rate).padStart(6)} ${limit}`.padEnd(21);
}

export function projectionText(rows: readonly Row[]): string {
  const { terms } = machineOf(rows);
  const most = Math.max(...rows.map(({ streams }) => streams));
  const lines: string[] = [];
  for (const direction of directions) {
    lines.push(
      `${direction}, GB/s and what limits: ${'I/O only'.padEnd(21)}${'with sums'.padEnd(21)}${'default'.padEnd(21)} next, cores used, memory GB/s, s a TB (default)`,
    );
    for (const cores of grid.cores) {
      for (const nodes of grid.nodes) {
        for (const gbit of grid.gbits) {
          const server = { cores, nodes, gbit, ...asShipped };
          const all = modes.map((mode: Mode) => project(terms, most, server, mode, direction));
          const last = all.at(-1) as Prediction;
          const more = `${last.next}, ${last.coresUsed.toFixed(1)}, ${((last.rate * last.traffic) / 1e9).toFixed(0)}, ${(terabyte / last.rate).toFixed(0)}`;
          lines.push(`${`${cores} cores, ${nodes} nodes, ${gbit} GbE`.padEnd(32)}${all.map(cell).join('')} ${more}`);
        }
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Of the machine that was measured. */
export function discardText(rows: readonly Row[]): string {
  return [ordersText(rows), termsText(rows), checkText(checkRows(rows))].join('\n');
}
