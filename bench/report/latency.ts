/** Percentiles of each kind of call, at the most streams that were measured: logarithmic, because tails are far out. */
import { scaleLog, scalePoint } from 'd3-scale';
import { line } from 'd3-shape';
import type { Latency, Row } from '../result/schema.ts';
import { type Estimate, estimate } from '../result/stats.ts';
import { axisX, axisY, type Box, bar, figure, section, type Width, widths } from './frame.ts';
import { html, type Safe } from './html.ts';
import { measured, rank, samplesText, streamsText, workloadTitles } from './select.ts';
import { legend, mark, type Style, type Styles, stylesOf } from './styles.ts';
import { durationText, plural, roundDuration } from './units.ts';

export const percentiles: readonly [name: string, of: (latency: Latency) => number][] = [
  ['p50', ({ p50Us }) => p50Us],
  ['p90', ({ p90Us }) => p90Us],
  ['p99', ({ p99Us }) => p99Us],
  ['p99.9', ({ p999Us }) => p999Us],
  ['max', ({ maxUs }) => maxUs],
];

export interface CallTimes {
  readonly row: Row;
  readonly call: string;
  /** Calls of all samples. */
  readonly n: number;
  /** Over the samples, of each percentile in the order above. */
  readonly times: readonly Estimate[];
}

export function callTimes(row: Row): CallTimes[] {
  const calls = new Map<string, Latency[]>();
  for (const one of row.samples.flatMap(({ latency }) => latency))
    calls.set(one.call, [...(calls.get(one.call) ?? []), one]);
  return [...calls].map(([call, all]) => ({
    row,
    call,
    n: all.reduce((sum, { n }) => sum + n, 0),
    times: percentiles.map(([, of]) => estimate(all.map(of))),
  }));
}

interface CallGroup {
  readonly title: string;
  readonly members: readonly CallTimes[];
}

const plotsMax = 12;
/** Of fewer calls in a sample percentiles are one and the same call: they are in the table. */
const callsMin = 20;

/** A plot a workload and call; in it engines, the plain plug-in and whoever else timed its calls. */
function callGroups(rows: readonly Row[]): CallGroup[] {
  const found = new Map<string, CallTimes[]>();
  for (const times of rows.flatMap(callTimes)) {
    if (times.n / times.row.samples.length < callsMin) continue;
    const key = JSON.stringify([times.row.workload, times.row.store, times.row.blockBytes, times.call]);
    found.set(key, [...(found.get(key) ?? []), times]);
  }
  return [...found.values()].slice(0, plotsMax).map((all) => {
    const streams = Math.max(...all.map(({ row }) => row.streams));
    const members = all.filter(({ row }) => row.streams === streams).toSorted((a, b) => rank(a.row) - rank(b.row));
    const { row, call } = members[0];
    return { title: `${workloadTitles[row.workload]}: ${call}, ${streamsText(streams)}`, members };
  });
}

/** 1, 2 and 5 of each decade; of many decades the 1 alone. */
function roundTicks(from: number, to: number): number[] {
  const found: number[] = [];
  for (let decade = Math.floor(Math.log10(from)); 10 ** decade <= to; decade++)
    for (const step of Math.log10(to / from) > 2.5 ? [1] : [1, 2, 5])
      if (step * 10 ** decade >= from && step * 10 ** decade <= to) found.push(step * 10 ** decade);
  return found;
}

function plot({ title, members }: CallGroup, styles: Styles, width: Width): Safe {
  const box: Box = { width: widths[width], height: 252, left: 58, right: 14, top: 12, bottom: 44 };
  const all = members
    .flatMap(({ times }) => times.flatMap(({ median, low, high }) => [median, low, high]))
    .filter((us) => us > 0);
  const [least, most] = all.length === 0 ? [1, 10] : [Math.min(...all), Math.max(...all)];
  const y = scaleLog()
    .domain([least / 1.25, most * 1.25])
    .range([box.height - box.bottom, box.top]);
  const ticks = roundTicks(least / 1.25, most * 1.25);
  const x = scalePoint<string>()
    .domain(percentiles.map(([name]) => name))
    .range([box.left, box.width - box.right])
    .padding(0.35);
  const placed = (at: number, aside: number): number => (x(percentiles[at][0]) ?? 0) + aside;
  const content = members.map(({ row, n, times }, i) => {
    const style = styles.get(row.subject) as Style;
    const aside = (i - (members.length - 1) / 2) * 5;
    const known = times.map((time, at) => ({ time, at })).filter(({ time }) => time.median > 0);
    const d = line<(typeof known)[number]>(
      ({ at }) => placed(at, aside),
      ({ time }) => y(time.median),
    )(known);
    return html`<g><title>${row.subject}, ${plural(n, 'call')}: ${known.map(({ time, at }) => `${percentiles[at][0]} ${durationText(time.median)}`).join(', ')}</title>
<path class="line ${style.colour}" stroke-dasharray="${style.dash}" d="${d ?? ''}"/>${known.map(({ time, at }) => [
      time.low > 0 ? bar(style.colour, placed(at, aside), y(time.low), y(time.high), true) : null,
      mark(style, placed(at, aside), y(time.median)),
    ])}</g>
`;
  });
  const counts = members.map(({ n }) => n);
  const calls =
    Math.min(...counts) === Math.max(...counts)
      ? plural(counts[0], 'call')
      : `${Math.min(...counts)}–${Math.max(...counts)} calls`;
  return figure({
    title,
    note: `logarithmic · ${calls} · ${samplesText(members.map(({ row }) => row))}`,
    description: members
      .map(
        ({ row, times }) =>
          `${row.subject}: ${times.map((time, at) => `${percentiles[at][0]} ${durationText(time.median)}`).join(', ')}`,
      )
      .join('. '),
    width: box.width,
    height: box.height,
    content: [
      ...axisY(
        box,
        ticks.map((us) => ({ at: y(us), text: roundDuration(us) })),
      ),
      ...axisX(
        box,
        percentiles.map(([name], at) => ({ at: placed(at, 0), text: name })),
        'percentile of the calls of a sample',
      ),
      ...content,
    ],
  });
}

export function latency(rows: readonly Row[]): Safe | null {
  const found = callGroups(measured(rows));
  if (found.length === 0) return null;
  const styles = stylesOf(found.flatMap(({ members }) => members.map(({ row }) => row)));
  const width: Width = found.length === 3 || found.length > 4 ? 'third' : 'half';
  return section(
    'latency',
    'Time of a call',
    'Each percentile is that of one sample; drawn are its median over the samples and the interval of that.',
    html`<div class="plots ${width}">${found.map((group) => plot(group, styles, width))}</div>`,
    legend(styles),
  );
}
