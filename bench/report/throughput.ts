/** Rates over streams, a line a subject; of a single number of streams, subjects under each other. */
import { scaleLinear, scalePoint } from 'd3-scale';
import { line } from 'd3-shape';
import { moreIsBetter } from '../result/rows.ts';
import type { Row } from '../result/schema.ts';
import { axisX, axisY, type Box, bar, figure, fitted, section, textWidth, type Width, widths } from './frame.ts';
import { html, type Safe } from './html.ts';
import { estimateOf, type Group, groups, lines, samplesText, streamsOf, streamsText } from './select.ts';
import { legend, mark, type Style, type Styles, stylesOf } from './styles.ts';
import { tickTexts, unitFor } from './units.ts';

const styleOf = (styles: Styles, subject: string): Style => styles.get(subject) as Style;

/** Values of one plot: medians and the ends of their intervals. */
function extent(rows: readonly Row[]): number[] {
  return rows.flatMap((row) => {
    const { median, low, high } = estimateOf(row);
    return [median, low, high].filter(Number.isFinite);
  });
}

function overStreams(group: Group, styles: Styles, width: Width): Safe {
  const drawn = lines(group.rows);
  const rows = drawn.flatMap((one) => one.rows);
  const unit = unitFor(group.unit, extent(rows));
  const box: Box = { width: widths[width], height: 268, left: 48, right: 16, top: 12, bottom: 44 };
  const y = scaleLinear()
    .domain([0, Math.max(...extent(rows), 0) * 1.04 || 1])
    .range([box.height - box.bottom, box.top]);
  const x = scalePoint<number>()
    .domain(streamsOf(rows))
    .range([box.left, box.width - box.right])
    .padding(0.35);
  const ticks = scaleLinear().domain(y.domain().map(unit.of)).ticks(5);
  const texts = tickTexts(ticks);
  const scaled = (tick: number): number => y(tick / unit.of(1));
  // Bars of several subjects at one place would cover each other: each stands a little aside.
  const aside = (i: number): number => (i - (drawn.length - 1) / 2) * 5;
  const path = line<Row>()
    .x((row) => x(row.streams) ?? 0)
    .y((row) => y(estimateOf(row).median));
  const content = drawn.map(({ subject, rows: own }, i) => {
    const style = styleOf(styles, subject);
    return html`<g><path class="line ${style.colour}" stroke-dasharray="${style.dash}" d="${path.x((row) => (x(row.streams) ?? 0) + aside(i))([...own]) ?? ''}"/>
${own.map((row) => {
  const { median, low, high } = estimateOf(row);
  const at = (x(row.streams) ?? 0) + aside(i);
  return html`<g><title>${subject}, ${streamsText(row.streams)}: ${unit.text(median)} ${unit.label} [${unit.text(low)}, ${unit.text(high)}], n = ${row.samples.length}</title>${bar(style.colour, at, y(low), y(high), true)}${mark(style, at, y(median))}</g>`;
})}</g>
`;
  });
  return figure({
    title: group.title,
    note: `${unit.label}${moreIsBetter(group.unit) ? '' : ', less is better'} · ${samplesText(rows)}`,
    description: drawn
      .map(
        ({ subject, rows: own }) =>
          `${subject}: ${own.map((row) => `${unit.text(estimateOf(row).median)} at ${streamsText(row.streams)}`).join(', ')}`,
      )
      .join('. '),
    width: box.width,
    height: box.height,
    content: [
      ...axisY(
        box,
        ticks.map((tick, i) => ({ at: scaled(tick), text: texts[i] })),
      ),
      ...axisX(
        box,
        streamsOf(rows).map((streams) => ({ at: x(streams) ?? 0, text: String(streams) })),
        'streams',
      ),
      ...content,
    ],
  });
}

const rowHeight = 22;
const subjectsMax = 40;

/** All subjects, the best first in each kind as the tables have them; a dashed line at the best floor. */
function underEachOther(group: Group, width: Width): Safe {
  const rows = group.rows.slice(0, subjectsMax);
  const unit = unitFor(group.unit, extent(rows));
  const streams = streamsOf(rows);
  const longest = Math.max(...rows.map(({ subject }) => textWidth(subject)));
  const left = Math.min(longest + 14, widths[width] * 0.5);
  const box: Box = { width: widths[width], height: rows.length * rowHeight + 56, left, right: 58, top: 6, bottom: 50 };
  const x = scaleLinear()
    .domain([0, Math.max(...extent(rows), 0) || 1])
    .range([box.left, box.width - box.right]);
  const ticks = scaleLinear().domain(x.domain().map(unit.of)).ticks(5);
  const texts = tickTexts(ticks);
  const floor = lines(rows).find(({ role }) => role === 'floor')?.rows[0];
  const level = floor === undefined ? null : x(estimateOf(floor).median);
  const content = rows.map((row, i) => {
    const { median, low, high } = estimateOf(row);
    const style = styleOf(stylesOf([row]), row.subject);
    const y = box.top + (i + 0.5) * rowHeight;
    return html`<g><title>${row.subject}: ${unit.text(median)} ${unit.label} [${unit.text(low)}, ${unit.text(high)}], n = ${row.samples.length}</title>
<text class="name" x="${box.left - 10}" y="${y + 4}" text-anchor="end">${fitted(row.subject, left - 14)}</text>
<line class="rail" x1="${box.left}" x2="${x(median)}" y1="${y}" y2="${y}"/>${bar(style.colour, y, x(low), x(high), false)}${mark(style, x(median), y)}
<text class="value" x="${box.width - box.right + 50}" y="${y + 4}" text-anchor="end">${unit.text(median)}</text></g>
`;
  });
  return figure({
    title: `${group.title}${streams[0] > 0 ? `, ${streamsText(streams[0])}` : ''}`,
    note: `${unit.label}${moreIsBetter(group.unit) ? '' : ', less is better'} · ${samplesText(rows)}${level === null ? '' : ' · dashed: best floor'}`,
    description: rows.map((row) => `${row.subject}: ${unit.text(estimateOf(row).median)}`).join(', '),
    width: box.width,
    height: box.height,
    content: [
      ...axisX(
        box,
        ticks.map((tick, i) => ({ at: x(tick / unit.of(1)), text: texts[i] })),
        unit.label,
        true,
      ),
      level === null
        ? null
        : html`<line class="floor-level" x1="${level}" x2="${level}" y1="${box.top}" y2="${box.height - box.bottom}"/>`,
      ...content,
    ],
  });
}

export function throughput(all: readonly Row[]): Safe | null {
  const found = groups(all);
  if (found.length === 0) return null;
  // A line needs an engine (else anybody) that was measured at several numbers of streams.
  const isLine = ({ rows }: Group): boolean => {
    const all = lines(rows);
    const engines = all.filter(({ role }) => role === 'engine');
    return (engines.length > 0 ? engines : all).some((one) => one.rows.length > 1);
  };
  const many = found.filter(isLine);
  const single = found
    .filter((group) => !isLine(group))
    .flatMap((group) =>
      streamsOf(group.rows).map(
        (streams): Group => ({ ...group, rows: group.rows.filter((row) => row.streams === streams) }),
      ),
    );
  const styles = stylesOf(many.flatMap(({ rows }) => lines(rows)));
  const width: Width = many.length === 3 || many.length > 4 ? 'third' : 'half';
  return section(
    'throughput',
    'Throughput',
    'Medians. Over streams, the best of the floors and the fastest of the peers are drawn; every row is in the tables below.',
    [
      many.length === 0
        ? null
        : html`<div class="plots ${width}">${many.map((group) => overStreams(group, styles, width))}</div>`,
      single.length === 0
        ? null
        : html`<div class="plots half">${single.map((group) => underEachOther(group, 'half'))}</div>`,
    ],
    many.length === 0 ? null : legend(styles),
  );
}
