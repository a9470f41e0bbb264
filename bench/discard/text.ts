/** The model for a terminal: its parameters, the check against measured rows, and servers that do not stand here. */
import type { Mode, Prediction } from '../model.ts';
import type { Row } from '../result/schema.ts';
import { estimate, median } from '../result/stats.ts';
import { type Checked, checkRows, type Parameters, parametersFrom } from './check.ts';
import { counter } from './clients.ts';
import { modes } from './engine.ts';
import { grid, project, type Server, terabyte } from './projection.ts';

const mib = 1 << 20;
/** The aim of docs/scaling.md. */
const errorAim = 0.15;

const gb = (rate: number): string => (rate / 1e9).toFixed(2);
const microseconds = (seconds: number): string => (seconds * 1e6).toFixed(1);

export function parametersText({ machine, costs }: Parameters): string {
  const cold = costs.cold(64 * mib);
  return `Parameters, measured in this run
  copy on one core               ${gb(machine.copyRate)} GB/s, ${gb(machine.copyBusyRate)} while all copy
  copy into slots in the cache   ${gb(machine.copyCachedRate)} GB/s, of ${(machine.cacheBytes / mib).toFixed(0)} MiB; out of slots ${gb(machine.copyOutRate)}, ${gb(machine.copyOutBusyRate)} while all copy
  CRC-64, CRC-64 + SHA-256       ${gb(machine.crcRate)}, ${gb(machine.shaRate)} GB/s
  fresh pages                    ${gb(machine.zeroRate)} GB/s, ${gb(machine.zeroBusyRate)} while all make some; given back ${gb(machine.freeRate)}
  fresh pages by 4 KiB           ${gb(machine.touchRate)} GB/s, ${gb(machine.touchBusyRate)} while all make some
  order: coordinator, lane       ${microseconds(costs.coordinatorS)}, ${microseconds(costs.laneS)} µs of CPU, and ${microseconds(costs.coordinatorMibS)} µs a MiB of block
  order behind 64 MiB of payload ${microseconds(cold.coordinatorS)}, ${microseconds(cold.laneS)} µs
  from order to order            ${microseconds(costs.orderS(1))} µs of one image, ${microseconds(costs.orderS(16))} of sixteen
  hand-over: processes, threads  ${microseconds(costs.processS)}, ${microseconds(costs.threadS)} µs one way
`;
}

/** The orders themselves: how many, how fast, what they cost. */
export function ordersText(rows: readonly Row[]): string {
  const bare = rows.filter(({ workload, store }) => workload === 'orders' && store === 'discard');
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

export function checkText(checked: readonly Checked[]): string {
  const lines = checked.map(({ row, measured, prediction, error, quiet }) => {
    const good = Math.abs(error) <= errorAim;
    return [
      `${row.subject}`.padEnd(24),
      row.workload.padEnd(8),
      `${row.streams}`.padStart(7),
      `${row.blockBytes / mib}`.padStart(6),
      gb(prediction.rate).padStart(10),
      gb(measured).padStart(9),
      `${(error * 100).toFixed(0)} %`.padStart(7),
      good ? ' ' : quiet ? '!' : '~',
      `${prediction.limit}, then ${prediction.next}`,
    ].join(' ');
  });
  const within = checked.filter(({ error }) => Math.abs(error) <= errorAim).length;
  const head = `${'model'.padEnd(24)} workload streams    MiB  predicted  measured   error   limit`;
  const errors = checked.map(({ error }) => Math.abs(error));
  const end = `${within} of ${checked.length} points within ${errorAim * 100} %, median error ${(median(errors) * 100).toFixed(0)} %; ! beyond it; ~ beyond it, and other work took more than a tenth of the processors`;
  return `${[head, ...lines, end].join('\n')}\n`;
}

function cell({ rate, limit }: Prediction): string {
  return `${gb(rate).padStart(6)} ${limit}`.padEnd(21);
}

export function projectionText(parameters: Parameters): string {
  const lines: string[] = [];
  for (const direction of ['write', 'restore'] as const) {
    lines.push(
      `${direction}, GB/s and what limits: ${'I/O only'.padEnd(21)}${'with sums'.padEnd(21)}${'default'.padEnd(21)} next, cores used, memory GB/s, s a TB (default)`,
    );
    for (const cores of grid.cores) {
      for (const nodes of grid.nodes) {
        for (const gbit of grid.gbits) {
          const server: Server = { cores, nodes, gbit, pinned: true, digestLanes: null, ioLanes: 16 };
          const all = modes.map((mode: Mode) => project(parameters, server, mode, direction));
          const last = all.at(-1) as Prediction;
          const more = `${last.next}, ${last.coresUsed.toFixed(1)}, ${((last.rate * last.traffic) / 1e9).toFixed(0)}, ${(terabyte / last.rate).toFixed(0)}`;
          lines.push(`${`${cores} cores, ${nodes} nodes, ${gbit} GbE`.padEnd(32)}${all.map(cell).join('')} ${more}`);
        }
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

export function discardText(rows: readonly Row[]): string {
  const parameters = parametersFrom(rows);
  const checked = checkRows(rows, parameters);
  return [ordersText(rows), parametersText(parameters), checkText(checked), projectionText(parameters)].join('\n');
}
