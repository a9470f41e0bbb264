/** Bytes in each second: every sample as a thin line, the one in the middle on top. Dips and ramps are seen here. */
import { scaleLinear } from 'd3-scale';
import { curveStepAfter, line } from 'd3-shape';
import { sizeText } from '../result/rows.ts';
import type { Row, Sample } from '../result/schema.ts';
import { axisX, axisY, type Box, figure, section, type Width, widths } from './frame.ts';
import { html, type Safe } from './html.ts';
import { measured, medianSample, streamsText, workloadTitles } from './select.ts';
import { type Style, stylesOf } from './styles.ts';
import { plural, tickTexts, unitFor } from './units.ts';

const plotsMax = 18;
/** More points than this are not told apart: neighbours become their mean. */
const pointsMax = 400;

export interface Flow {
  readonly second: number;
  readonly rate: number;
}

/** Rates from bytes a second; what is left of the last second counts for its length, or not at all when it is short. */
export function rates({ series, seconds }: Pick<Sample, 'series' | 'seconds'>): Flow[] {
  const left = seconds - (series.length - 1);
  const last = left >= 0.25 && left < 1 ? left : 1;
  const whole = left > 0 && left < 0.25 && series.length > 1 ? series.slice(0, -1) : series;
  const each = Math.ceil(whole.length / pointsMax);
  const flows: Flow[] = [];
  for (let at = 0; at < whole.length; at += each) {
    const bytes = whole.slice(at, at + each);
    const length = bytes.length - (at + each >= whole.length && whole.length === series.length ? 1 - last : 0);
    flows.push({ second: at, rate: bytes.reduce((sum, value) => sum + value, 0) / length });
  }
  return flows;
}

function plot(row: Row, style: Style, width: Width, top: number): Safe {
  const box: Box = { width: widths[width], height: 190, left: 48, right: 14, top: 10, bottom: 44 };
  const samples = row.samples.filter(({ series }) => series.length > 1);
  const middle = medianSample({ ...row, samples });
  const seconds = Math.max(...samples.map(({ series }) => series.length));
  const unit = unitFor('B/s', [top]);
  const x = scaleLinear()
    .domain([0, seconds])
    .range([box.left, box.width - box.right]);
  const y = scaleLinear()
    .domain([0, unit.of(top) * 1.04 || 1])
    .range([box.height - box.bottom, box.top]);
  const path = line<Flow>(
    ({ second }) => x(second),
    ({ rate }) => y(unit.of(rate)),
  ).curve(curveStepAfter);
  // A step has the length of its second, the last one too.
  const drawn = (sample: Sample): string => {
    const flows = rates(sample);
    return path([...flows, { second: sample.series.length, rate: flows.at(-1)?.rate ?? 0 }]) ?? '';
  };
  const ticks = y.ticks(4);
  const texts = tickTexts(ticks);
  const parts = [workloadTitles[row.workload], streamsText(row.streams)];
  return figure({
    title: parts.join(', '),
    note: `${row.subject}, ${sizeText(row.blockBytes)} blocks · ${unit.label} · n = ${samples.length}`,
    description: `${plural(samples.length, 'sample')} of up to ${plural(seconds, 'second')}; the one in the middle moved ${rates(
      middle,
    )
      .slice(0, 60)
      .map(({ rate }) => unit.text(rate))
      .join(', ')} ${unit.label}`,
    width: box.width,
    height: box.height,
    content: [
      ...axisY(
        box,
        ticks.map((tick, i) => ({ at: y(tick), text: texts[i] })),
      ),
      ...axisX(
        box,
        x
          .ticks(6)
          .filter(Number.isInteger)
          .map((second) => ({ at: x(second), text: String(second) })),
        'seconds since the sample began',
      ),
      samples.map((sample) => html`<path class="thin ${style.colour}" d="${drawn(sample)}"/>`),
      html`<path class="line ${style.colour}" d="${drawn(middle)}"/>`,
    ],
  });
}

export function series(all: readonly Row[]): Safe | null {
  const able = measured(all).filter(({ samples }) => samples.some((sample) => sample.series.length > 1));
  const engines = able.filter(({ role }) => role === 'engine');
  // The default mode is the headline; the others are in the JSON.
  const ofDefault = engines.filter(({ mode }) => mode === 'default' || mode === null);
  const rows = (ofDefault.length > 0 ? ofDefault : engines.length > 0 ? engines : able).slice(0, plotsMax);
  if (rows.length === 0) return null;
  const styles = stylesOf(rows);
  const width: Width = rows.length === 3 || rows.length > 4 ? 'third' : 'half';
  const tops = (of: Row): number =>
    Math.max(
      ...rows
        .filter(({ workload }) => workload === of.workload)
        .flatMap(({ samples }) =>
          samples.flatMap((sample) => (sample.series.length > 1 ? rates(sample).map(({ rate }) => rate) : [])),
        ),
    );
  return section(
    'series',
    'Second by second',
    'All streams of a sample together: thin lines are the samples, the strong one is that in the middle. Plots of one kind of work have one scale.',
    html`<div class="plots ${width}">${rows.map((row) => plot(row, styles.get(row.subject) as Style, width, tops(row)))}</div>`,
  );
}
