/** Stacked bars, a row under the other: CPU seconds per GB, and where the time of the jobs went. */
import { scaleLinear } from 'd3-scale';
import { type PartName, partWords } from '../../engine/core/shares.ts';
import { sizeText } from '../result/rows.ts';
import type { Row } from '../result/schema.ts';
import { estimate, median } from '../result/stats.ts';
import { axisX, type Box, bar, figure, fitted, section, textWidth, widths } from './frame.ts';
import { html, type Part, type Safe } from './html.ts';
import { cpuPerGb, groups, lines, samplesText, streamsOf, streamsText } from './select.ts';
import { percentText, short, tickTexts } from './units.ts';

interface Segment {
  readonly name: string;
  /** Class and pattern of css.ts and page.ts: p0 … p11. */
  readonly paint: number;
  /** Stands in it where there is room. */
  readonly key: string;
  readonly value: number;
}

interface Stack {
  /** Stands above it where it is another one than before. */
  readonly head: string;
  readonly name: string;
  readonly segments: readonly Segment[];
  /** Behind the bar. */
  readonly value: string;
  /** Interval of the sum of all segments; null: there is none. */
  readonly interval: readonly [low: number, high: number] | null;
}

interface Stacks {
  readonly title: string;
  readonly note: string;
  readonly label: string;
  readonly stacks: readonly Stack[];
  readonly max: number;
  readonly tick: (value: number) => string;
  readonly ticks: (values: readonly number[]) => string[];
}

const barHeight = 15;
const rowHeight = 21;
const headHeight = 24;
const stacksMax = 60;

function piece({ paint, key }: Segment, x: number, y: number, width: number, title: string): Safe {
  const room = width >= textWidth(key) + 8;
  return html`<g><title>${title}</title><rect class="p${paint}" x="${x}" y="${y}" width="${width}" height="${barHeight}"/>${
    room
      ? html`<text class="key k${paint}" x="${x + width / 2}" y="${y + barHeight - 3.5}" text-anchor="middle">${key}</text>`
      : null
  }</g>`;
}

function stackedPlot({ title, note, label, stacks, max, tick, ticks }: Stacks): Safe {
  const left = Math.min(Math.max(...stacks.map(({ name }) => textWidth(name))) + 14, widths.half * 0.36);
  const heads = stacks.filter(({ head }, i) => head !== stacks[i - 1]?.head).length;
  const height = stacks.length * rowHeight + heads * headHeight + 58;
  const box: Box = { width: widths.half, height, left, right: 54, top: 4, bottom: 50 };
  const x = scaleLinear()
    .domain([0, max])
    .range([box.left, box.width - box.right]);
  const tops: number[] = [];
  for (const [i, { head }] of stacks.entries())
    tops.push((tops.at(-1) ?? box.top - rowHeight) + rowHeight + (head === stacks[i - 1]?.head ? 0 : headHeight));
  const content: Part[] = stacks.map(({ head, name, segments, value, interval }, i) => {
    const y = tops[i];
    const newHead = head !== stacks[i - 1]?.head;
    const above = newHead ? html`<text class="head" x="${box.left}" y="${y - 7}">${head}</text>` : null;
    let at = x(0);
    const pieces: Part[] = [];
    for (const segment of segments) {
      const width = Math.max(0, x(segment.value) - x(0));
      if (width >= 0.05)
        pieces.push(piece(segment, at, y, width, `${name}, ${head}: ${segment.name} ${tick(segment.value)}`));
      at += width;
    }
    return html`${above}<text class="name" x="${box.left - 10}" y="${y + barHeight - 3}" text-anchor="end">${fitted(name, left - 14)}</text>${pieces}${interval === null ? null : bar('ink', y + barHeight / 2, x(interval[0]), x(interval[1]), false)}<text class="value" x="${Math.max(at, interval === null ? 0 : x(interval[1])) + 6}" y="${y + barHeight - 3}">${value}</text>
`;
  });
  return figure({
    title,
    note,
    description: stacks
      .map(
        ({ head, name, segments }) =>
          `${name}, ${head}: ${segments.map((one) => `${one.name} ${tick(one.value)}`).join(', ')}`,
      )
      .join('. '),
    width: box.width,
    height,
    content: [
      ...axisX(
        box,
        x.ticks(5).map((value, i, all) => ({ at: x(value), text: ticks(all)[i] })),
        label,
        true,
      ),
      ...content,
    ],
  });
}

function legendOf(entries: readonly Pick<Segment, 'name' | 'paint' | 'key'>[], keys: boolean): Safe {
  return html`<ul class="legend">${entries.map(
    ({ name, paint, key }) =>
      html`<li><svg class="swatch" width="20" height="14" viewBox="0 0 20 14" aria-hidden="true"><rect class="p${paint}" x="0.5" y="0.5" width="19" height="13"/>${keys ? html`<text class="key k${paint}" x="10" y="11" text-anchor="middle">${key}</text>` : null}</svg>${name}</li>`,
  )}</ul>`;
}

/** What is drawn of a group: engines, plain plug-in, best floor and peer, each number of streams together. */
function drawnRows(rows: readonly Row[], usable: (row: Row) => boolean): Row[] {
  const all = lines(rows.filter(usable)).flatMap((line) => line.rows);
  return streamsOf(all)
    .flatMap((streams) => all.filter((row) => row.streams === streams))
    .slice(0, stacksMax);
}

const headOf = (row: Row): string => (row.streams > 0 ? streamsText(row.streams) : sizeText(row.blockBytes));

const cpuParts = [
  { of: 'hostProgram', name: 'host program', paint: 0, key: '' },
  { of: 'engine', name: 'engine', paint: 1, key: '' },
  { of: 'rest', name: 'rest of the machine: interrupts, kernel threads, whatever else ran', paint: 2, key: '' },
] as const;

/** Of the sum of the parts that are known of every sample. */
function sumInterval({ samples }: Row): readonly [number, number] | null {
  const sums = samples.map(
    ({ cpu: parts, bytes }) =>
      [parts?.hostProgram, parts?.engine, parts?.rest].reduce<number>((sum, part) => sum + (part ?? 0), 0) /
      (bytes / 1e9),
  );
  const { low, high, coverage } = estimate(sums);
  return coverage > 0 && Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
}

export function cpu(all: readonly Row[]): Safe | null {
  // Of small images and calls a GB says nothing.
  const moving = groups(all).filter(({ unit }) => unit === 'B/s');
  const found = moving.flatMap(({ title, rows }) => {
    const drawn = drawnRows(rows, (row) => Object.values(cpuPerGb(row)).some((value) => value !== null));
    if (drawn.length === 0) return [];
    const stacks = drawn.map((row): Stack => {
      const parts = cpuPerGb(row);
      const segments = cpuParts.flatMap(({ of, ...part }) => {
        const value = parts[of];
        return value === null ? [] : [{ ...part, value }];
      });
      const sum = segments.reduce((total, { value }) => total + value, 0);
      return { head: headOf(row), name: row.subject, segments, value: short(sum), interval: sumInterval(row) };
    });
    const ends = stacks.map(({ segments, interval }) =>
      Math.max(
        segments.reduce((sum, { value }) => sum + value, 0),
        interval?.[1] ?? 0,
      ),
    );
    const max = Math.max(...ends) || 1;
    const note = `CPU s/GB · medians, ${samplesText(drawn)}`;
    return [stackedPlot({ title, note, label: 'CPU s/GB', stacks, max, tick: short, ticks: tickTexts })];
  });
  if (found.length === 0) return null;
  return section(
    'cpu',
    'CPU per GB',
    'By the kernel’s own accounting. A part that was not accounted is not drawn; the figure behind a bar is the sum of its parts.',
    html`<div class="plots half">${found}</div>`,
    legendOf(cpuParts, false),
  );
}

const percents = (values: readonly number[]): string[] =>
  tickTexts(values.map((value) => value * 100)).map((text) => `${text} %`);

/** Names of engine/core/shares.ts in words; a part of the wait for a slot may stand with or without its prefix. */
function shareName(name: string): string {
  const part = name.replace(/^slotWait\./, '');
  if (!Object.hasOwn(partWords, part)) return name;
  const words = partWords[part as PartName];
  return ['hostProgram', 'copy', 'other'].includes(part) ? words : `slot wait: ${words}`;
}

const paints = 12;

export function shares(all: readonly Row[]): Safe | null {
  const withShares = (row: Row): boolean => row.samples.some((sample) => sample.shares !== null);
  const names = [...new Set(all.flatMap((row) => row.samples.flatMap((sample) => Object.keys(sample.shares ?? {}))))];
  const found = groups(all).flatMap(({ title, rows }) => {
    const drawn = drawnRows(rows, withShares);
    if (drawn.length === 0) return [];
    const stacks = drawn.map((row): Stack => {
      const known = row.samples.flatMap((sample) => (sample.shares === null ? [] : [sample.shares]));
      const segments = names.map((name, i): Segment => {
        const value = Math.max(0, median(known.map((one) => one[name] ?? 0)));
        return {
          name: shareName(name),
          paint: i % paints,
          key: String(i + 1),
          value: Number.isFinite(value) ? value : 0,
        };
      });
      return { head: headOf(row), name: row.subject, segments, value: '', interval: null };
    });
    const max = Math.max(1, ...stacks.map(({ segments }) => segments.reduce((sum, { value }) => sum + value, 0)));
    const note = `parts of the jobs’ wall time · medians, ${samplesText(drawn).split(',')[0]}`;
    return [stackedPlot({ title, note, label: 'part of the time', stacks, max, tick: percentText, ticks: percents })];
  });
  if (found.length === 0) return null;
  const entries = names.map((name, i) => ({ name: shareName(name), paint: i % paints, key: String(i + 1) }));
  return section(
    'shares',
    'Where the time goes',
    'What the measured jobs waited for or did; numbers name the parts. Medians, which need not add up to exactly 100 %.',
    html`<div class="plots half">${found}</div>`,
    legendOf(entries, true),
  );
}
