/** Two results: each row's ratio with its interval beside the line of 1, its verdict, and what was different around it. */
import { scaleLog } from 'd3-scale';
import type { ComparedRow, Comparison } from '../result/compare.ts';
import type { ComparedMicro } from '../result/compare-micro.ts';
import { rowName } from '../result/rows.ts';
import { axisX, bar, figure, fitted, section, widths } from './frame.ts';
import { html, type Part, type Safe } from './html.ts';
import { fixed, percentText, plural, short, type Unit, unitFor } from './units.ts';

const rowHeight = 22;
const plottedMax = 60;
const marks: Record<ComparedRow['verdict'], [sign: string, colour: string]> = {
  faster: ['▲', 'good'],
  slower: ['▼', 'bad'],
  'no difference': ['=', 'even'],
  'no verdict': ['?', 'open'],
};

/** Engines; floors and peers, which say how the machine was, are in the table. */
function forest(all: readonly ComparedRow[]): Safe {
  const engines = all.filter(({ row }) => row.role === 'engine');
  const rows = (engines.length > 0 ? engines : all).slice(0, plottedMax);
  const width = widths.half * 2 + 32;
  const left = 430;
  const box = { width, height: rows.length * rowHeight + 56, left, right: 150, top: 4, bottom: 48 };
  const ends = rows
    .flatMap(({ low, high, ratio }) => [low, high, ratio])
    .filter((value) => Number.isFinite(value) && value > 0);
  const far = Math.min(100, Math.max(1.1, ...ends.map((value) => Math.max(value, 1 / value))));
  const x = scaleLog()
    .domain([1 / far, far])
    .range([left, width - box.right])
    .clamp(true);
  const ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25, 2, 5, 10, 20, 50, 100]
    .filter((value) => value >= 1 / far && value <= far)
    .map((value) => ({ at: x(value), text: String(value) }))
    .filter(
      ({ at, text }, i, all) =>
        text === '1' ||
        all.every((other, j) => j === i || (other.text !== '1' && j > i) || Math.abs(other.at - at) >= 34),
    );
  const content = rows.map(({ row, ratio, low, high, margin, verdict }, i) => {
    const y = box.top + (i + 0.5) * rowHeight;
    const [sign, colour] = marks[verdict];
    const name = rowName({ ...row, bytesPerStream: 0 });
    return html`<g><title>${rowName(row)}: ${fixed(ratio, 3)} [${fixed(low, 3)}, ${fixed(high, 3)}], ${verdict}</title>
<text class="name" x="${left - 12}" y="${y + 4}" text-anchor="end">${fitted(name, left - 16)}</text>
<rect class="margin" x="${x(1 / (1 + margin))}" width="${x(1 + margin) - x(1 / (1 + margin))}" y="${y - rowHeight / 2 + 2}" height="${rowHeight - 4}"/>
${low > 0 ? bar(colour, y, x(low), x(high), false) : null}${ratio > 0 ? html`<circle class="mark ${colour}" cx="${x(ratio)}" cy="${y}" r="4"/>` : null}
<text class="verdict ${colour}" x="${width - box.right + 14}" y="${y + 4}">${sign} ${verdict}</text></g>
`;
  });
  return figure({
    title: 'B over A',
    note: 'ratio of medians, logarithmic · bars: 95 % interval · shaded: errors of method of both runs (A/A)',
    description: rows.map(({ name, ratio, verdict }) => `${name}: ${fixed(ratio, 3)}, ${verdict}`).join('. '),
    width,
    height: box.height,
    content: [
      ...axisX(box, ticks, 'B / A', true),
      html`<line class="unity" x1="${x(1)}" x2="${x(1)}" y1="${box.top}" y2="${box.height - box.bottom}"/>`,
      ...content,
    ],
  });
}

interface Cells {
  readonly compared: ComparedRow | ComparedMicro;
  readonly unit: Pick<Unit, 'label' | 'text'>;
  readonly a: number;
  readonly b: number;
  readonly n: Part;
}

function cellsOfRow(compared: ComparedRow): Cells {
  const { row, a, b } = compared;
  const unit = unitFor(row.unit, [a.median, b.median]);
  return { compared, unit, a: a.median, b: b.median, n: `${a.n}, ${b.n}` };
}

function cellsOfMicro(compared: ComparedMicro): Cells {
  const { a, b } = compared;
  const n = `${a.n.toFixed(0)}, ${b.n.toFixed(0)}`;
  if (a.share === undefined) {
    const longest = Math.max(a.p50Ns, b.p50Ns);
    const [label, divisor] = longest >= 1e6 ? ['ms', 1e6] : longest >= 1e3 ? ['µs', 1e3] : ['ns', 1];
    return { compared, unit: { label, text: (ns) => short(ns / divisor) }, a: a.p50Ns, b: b.p50Ns, n };
  }
  const text = (part: number): string => fixed(part * 100, 1);
  return { compared, unit: { label: '%', text }, a: a.share, b: b.share ?? Number.NaN, n };
}

/** `what` the lines are; `errors`: the title of what is allowed for those of the method. */
function comparedTable(what: string, errors: string, all: readonly Cells[]): Safe {
  // Why all of them have no verdict stands above the table, once.
  const { reason: first } = all[0].compared;
  const everywhere = all.every(({ compared }) => compared.reason === first) ? first : '';
  return html`${everywhere === '' ? null : html`<p class="lead">No verdict: ${everywhere}.</p>`}<div class="wide"><table><thead><tr><th class="text">${what}</th><th>A</th><th>B</th><th>unit</th><th>B / A</th><th>interval</th><th>${errors}</th><th>n</th><th class="text">B is</th></tr></thead><tbody>
${all.map(({ compared: { name, ratio, low, high, margin, verdict, reason }, unit, a, b, n }) => {
  const [sign, colour] = marks[verdict];
  return html`<tr><td class="text">${name}</td><td>${unit.text(a)}</td><td>${unit.text(b)}</td><td>${unit.label}</td><td class="strong">${fixed(ratio, 3)}</td><td>${low > 0 && Number.isFinite(high) ? `${fixed(low, 3)}–${fixed(high, 3)}` : '–'}</td><td>${percentText(margin)}</td><td>${n}</td><td class="text ${colour}">${sign} ${verdict}${reason === '' || reason === everywhere ? null : html` <small>${reason}</small>`}</td></tr>
`;
})}</tbody></table></div>`;
}

function rowsPart(rows: readonly ComparedRow[]): Part {
  if (rows.length === 0) return null;
  return [
    html`<div class="plots alone">${forest(rows)}</div>`,
    comparedTable('row', 'A/A errors', rows.map(cellsOfRow)),
  ];
}

function microPart(micro: readonly ComparedMicro[]): Part {
  if (micro.length === 0) return null;
  return [
    html`<h3>Operations alone<span>medians; the interval is of means</span></h3>`,
    comparedTable('operation', 'allowed', micro.map(cellsOfMicro)),
  ];
}

const runText = ({ id, startedAt }: Comparison['a']): string =>
  `${startedAt.slice(0, 19).replace('T', ' ')} UTC (${id.slice(0, 8)})`;

export function comparisonSection({ a, b, rows, micro, onlyA, onlyB, conditions, notes: said }: Comparison): Safe {
  const notes = [...a.noisy.map((reason) => `A is noisy: ${reason}`), ...said];
  const only = [
    ['A', onlyA],
    ['B', onlyB],
  ] as const;
  return section(
    'comparison',
    'Comparison',
    html`A is the run of ${runText(a)}, B that of ${runText(b)}, which the other sections show.`,
    [
      notes.length === 0 ? null : html`<ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>`,
      rows.length === 0 && micro.length === 0 ? html`<p>No row is in both runs.</p>` : null,
      rowsPart(rows),
      microPart(micro),
      only.map(([name, names]) =>
        names.length === 0
          ? null
          : html`<h3>In ${name} only: ${plural(names.length, 'row')}</h3><ul class="notes">${names.map((row) => html`<li>${row}</li>`)}</ul>`,
      ),
      conditions.length === 0
        ? html`<p>The conditions of both runs are the same.</p>`
        : html`<h3>Conditions that differ</h3><div class="wide"><table><thead><tr><th class="text">condition</th><th class="text">A</th><th class="text">B</th></tr></thead><tbody>${conditions.map(
            ({ name, a: ofA, b: ofB }) =>
              html`<tr><td class="text">${name}</td><td class="text">${ofA}</td><td class="text">${ofB}</td></tr>`,
          )}</tbody></table></div>`,
    ],
  );
}
