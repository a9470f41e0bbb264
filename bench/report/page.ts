/** The report: one file of HTML that opens anywhere, without network and without a script. */
import type { Comparison } from '../result/compare.ts';
import { floorOf, moreIsBetter, values } from '../result/rows.ts';
import type { Result, Row } from '../result/schema.ts';
import { estimate, pairedRatios } from '../result/stats.ts';
import { comparisonSection } from './comparison.ts';
import { conditionsSection, serversSection } from './conditions.ts';
import { css } from './css.ts';
import { section } from './frame.ts';
import { html, type Part, Safe } from './html.ts';
import { latency } from './latency.ts';
import { estimateOf, groups, streamsOf, streamsText } from './select.ts';
import { series } from './series.ts';
import { soak } from './soak.ts';
import { cpu, shares } from './stacked.ts';
import { otherTables, rowTables } from './tables.ts';
import { throughput } from './throughput.ts';
import { fixed, unitFor } from './units.ts';

const headsMax = 8;

/** Lines and dots over the colours, so that surfaces differ without them. */
const textures: readonly string[] = [
  '',
  '<path class="hatch" d="M-1,1L1,-1M0,6L6,0M5,7L7,5"/>',
  '<circle class="dot" cx="3" cy="3" r="1.2"/>',
  '<path class="hatch" d="M0,3H6"/>',
  '<path class="hatch" d="M-1,5L1,7M0,0L6,6M5,-1L7,1"/>',
  '',
  '<path class="hatch" d="M3,0V6"/>',
  '<path class="hatch" d="M0,6L6,0M0,0L6,6"/>',
  '',
  '<path class="hatch" d="M-1,1L1,-1M0,6L6,0M5,7L7,5"/>',
  '<circle class="dot" cx="3" cy="3" r="1.2"/>',
  '',
];

const paints = html`<svg width="0" height="0" class="defs" aria-hidden="true"><defs>${textures.map(
  (texture, i) =>
    html`<pattern id="paint${i}" width="6" height="6" patternUnits="userSpaceOnUse"><rect class="fill${i}" width="6" height="6"/>${new Safe(texture)}</pattern>`,
)}</defs></svg>`;

/** The default mode is the headline: of each kind of work, at the most streams. */
function headlines(rows: readonly Row[]): Safe | null {
  const found = groups(rows).flatMap(({ title, unit: kind, rows: all }) => {
    const engines = all.filter(({ role }) => role === 'engine');
    const ofDefault = engines.filter(({ mode }) => mode === 'default');
    const able = ofDefault.length > 0 ? ofDefault : engines;
    const row = able.find(({ streams }) => streams === streamsOf(able).at(-1));
    if (row === undefined) return [];
    const { median, low, high, n } = estimateOf(row);
    const unit = unitFor(kind, [median]);
    const floor = floorOf(rows, row);
    const ratio = floor === null ? null : estimate(pairedRatios(values(row), values(floor))).median;
    return [
      html`<li><div class="what">${title}${row.streams > 0 ? `, ${streamsText(row.streams)}` : ''}</div><div class="big">${unit.text(median)}<small>${unit.label}</small></div><div class="more">${ratio === null ? null : html`<b>${fixed(ratio, 2)}</b> × floor${moreIsBetter(kind) ? '' : ', less is better'}`}<span>${n > 1 ? `${unit.text(low)}–${unit.text(high)}, ` : ''}n = ${n}</span><span>${row.subject}</span></div></li>
`,
    ];
  });
  return found.length === 0 ? null : html`<ul class="heads">${found.slice(0, headsMax)}</ul>`;
}

function banner({ noisy, cut }: Result): Part {
  return [
    noisy.length === 0
      ? null
      : html`<div class="banner" role="note"><b>▲ Noisy: no verdict may be drawn from this run</b><ul>${noisy.map((reason) => html`<li>${reason}</li>`)}</ul></div>`,
    cut === null ? null : html`<div class="banner" role="note"><b>▲ Ended early</b>${cut}</div>`,
  ];
}

function rate(name: string, value: number | null): Part {
  return value === null ? null : html`<li>${name}: ${fixed(value / 1e9, 2)} GB/s, alone, in this run</li>`;
}

function method({ memcpyRate, crcRate, digestRate }: Result): Safe {
  return section(
    'method',
    'How to read it',
    null,
    html`<ul class="notes method">
<li>Subjects take turns: each alternation runs every one once, so that a machine that changes its speed changes it for all. Warm-ups do not count.</li>
<li>Figures are medians. An interval goes from one sample to another, chosen so that it holds the true median with at least 95 % whatever the distribution; below six samples it cannot, and the plot says what it covers.</li>
<li>× floor compares with the best bare program that was measured for the same work: it does the input and output and nothing else. × floor with copy compares with one that copies each byte once besides, as a plug-in has to, while other blocks are on their way.</li>
<li>GB are 10⁹ bytes, GiB are 2³⁰.</li>
${rate('memcpy', memcpyRate)}${rate('CRC-64', crcRate)}${rate('CRC-64 and SHA-256 in one pass', digestRate)}</ul>`,
  );
}

function title({ conditions: { target, host }, merged }: Result): string {
  const store = target.fsType === 's3' ? 'S3' : target.fsType;
  return merged.length > 0 ? `${merged.length} media servers on ${store}` : `${host} on ${store}`;
}

export function page(result: Result, comparison: Comparison | null): string {
  const { conditions: c, startedAt, rows } = result;
  const name = title(result);
  const { text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>vast-ost bench: ${name}, ${startedAt}</title><style>${new Safe(css)}</style></head><body>
${paints}<header><p class="kicker">vast-ost bench</p><h1>${name}</h1>
<p class="about"><b>${startedAt.slice(0, 16).replace('T', ' ')} UTC</b> · ${c.cpu}, ${c.cores} cores · Linux ${c.kernel} · engine ${c.engine} · ${c.target.place}</p>
${banner(result)}${headlines(rows)}</header>
<main>
${comparison === null ? null : comparisonSection(comparison)}${serversSection(result)}${soak(result.soak)}${throughput(rows)}${latency(rows)}${cpu(rows)}${shares(rows)}${series(rows)}${rowTables(rows)}${otherTables(result)}${conditionsSection(result)}${method(result)}</main>
<footer>Schema ${result.schema}. Made by vast-ost bench ${c.engine}; every figure in it was measured in the run that it names.</footer>
</body></html>
`;
  return text;
}
