/** Rounds for hours: the verdict, and whether rates, memory or open files drift. */
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import type { Soak, SoakRound } from '../result/schema.ts';
import { axisX, axisY, type Box, figure, section, widths } from './frame.ts';
import { html, type Part, type Safe } from './html.ts';
import { legend, mark, type Style, stylesOf } from './styles.ts';
import { fixed, plural, short, tickTexts } from './units.ts';

interface Curve {
  readonly name: string;
  readonly style: Style;
  of(round: SoakRound): number;
}

/** Two that are told apart by colour, dash and marker; the second is that of the bench's second engine mode. */
const two = [
  ...stylesOf([
    { subject: 'a', role: 'engine', mode: 'default' },
    { subject: 'b', role: 'engine', mode: 'io-only' },
  ]).values(),
];

function plot(title: string, unit: string, trend: readonly SoakRound[], curves: readonly Curve[]): Safe {
  const box: Box = { width: widths.third, height: 220, left: 48, right: 14, top: 10, bottom: 44 };
  const values = trend.flatMap((round) => curves.map((curve) => curve.of(round)));
  const hours = (round: SoakRound): number => round.at / 3600;
  const x = scaleLinear()
    .domain([0, Math.max(...trend.map(hours)) || 1])
    .range([box.left, box.width - box.right]);
  const y = scaleLinear()
    .domain([0, Math.max(...values) * 1.05 || 1])
    .range([box.height - box.bottom, box.top]);
  const [ticksX, ticksY] = [x.ticks(5), y.ticks(4)];
  const [textsX, textsY] = [tickTexts(ticksX), tickTexts(ticksY)];
  const drawn: Part[] = curves.map(({ style, of }) => {
    const path = line<SoakRound>(
      (round) => x(hours(round)),
      (round) => y(of(round)),
    );
    const [last] = trend.slice(-1);
    return html`<path class="line ${style.colour}" stroke-dasharray="${style.dash}" d="${path([...trend]) ?? ''}"/>${mark(style, x(hours(last)), y(of(last)))}`;
  });
  const ends = curves.map(
    ({ name, of }) => `${name}: ${short(of(trend[0]))} at first, ${short(of(trend.at(-1) as SoakRound))} at last`,
  );
  return figure({
    title,
    note: `${unit} · n = ${trend.length}, a point a round`,
    description: ends.join('. '),
    width: box.width,
    height: box.height,
    content: [
      ...axisY(
        box,
        ticksY.map((tick, i) => ({ at: y(tick), text: textsY[i] })),
      ),
      ...axisX(
        box,
        ticksX.map((tick, i) => ({ at: x(tick), text: textsX[i] })),
        'hours',
      ),
      drawn,
    ],
  });
}

export function soak(result: Soak | null): Safe | null {
  if (result === null) return null;
  const { hours, rounds, failed, errors, verdict, trend } = result;
  const curve = (name: string, style: Style, of: (round: SoakRound) => number): Curve => ({ name, style, of });
  const names = new Map([
    ['write, handles', two[0]],
    ['restore, files', two[1]],
  ]);
  const plots =
    trend.length < 2
      ? null
      : html`<div class="plots third">${[
          plot('Rates', 'GB/s', trend, [
            curve('write', two[0], ({ writeRate }) => writeRate / 1e9),
            curve('restore', two[1], ({ restoreRate }) => restoreRate / 1e9),
          ]),
          plot('Memory of the engine', 'MiB', trend, [
            curve('memory', two[0], ({ memoryBytes }) => memoryBytes / 2 ** 20),
          ]),
          plot('Handles and open files', 'number', trend, [
            curve('handles', two[0], ({ handles }) => handles),
            curve('files', two[1], ({ files }) => files),
          ]),
        ]}</div>`;
  return section(
    'soak',
    verdict.length === 0 ? 'Soak: steady' : 'Soak: not steady',
    `${plural(rounds, 'round')} in ${fixed(hours, 1)} hours, ${failed} failed.`,
    [
      verdict.length === 0 ? null : html`<ul class="notes">${verdict.map((reason) => html`<li>${reason}</li>`)}</ul>`,
      errors.length === 0
        ? null
        : html`<h3>First errors</h3><ul class="notes">${errors.map((text) => html`<li>${text}</li>`)}</ul>`,
      plots,
    ],
    plots === null ? null : legend(names),
  );
}
