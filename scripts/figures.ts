/**
 * docs/figures/NAME.txt → NAME.svg: figures are drawn from text, so that a change of one can be read in a diff.
 *   node scripts/run.mjs scripts/figures.ts
 *
 * A figure is a list of lines; coordinates are pixels, the corner is at the top left:
 *   size WIDTH HEIGHT
 *   title TEXT
 *   group ID X Y WIDTH HEIGHT TEXT       a frame around others, its text at the top
 *   box   ID X Y WIDTH HEIGHT TEXT | TEXT …   lines of text, the first one bold
 *   later ID X Y WIDTH HEIGHT TEXT | …   the same, dashed: not there yet
 *   arrow FROM.side TO.side TEXT         side: l r t b, perhaps with an offset along that side: r+20, t-40
 *   both  FROM.side TO.side TEXT         an arrow with two heads
 *   note  X Y TEXT                       small text
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './steps.ts';

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const ink = '#1f2933';
const styles = {
  group: { fill: '#f5f7fa', stroke: '#9aa5b1', dash: '' },
  box: { fill: '#ffffff', stroke: '#1f5fa8', dash: '' },
  later: { fill: '#ffffff', stroke: '#9aa5b1', dash: ' stroke-dasharray="5 4"' },
};
const lineHeight = 17;

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function label(x: number, y: number, text: string, extra: string): string {
  return `<text x="${x}" y="${y}" ${extra}>${escapeText(text)}</text>`;
}

function drawBox(kind: keyof typeof styles, box: Box, text: string): string[] {
  const { fill, stroke, dash } = styles[kind];
  const { x, y, width, height } = box;
  const frame = `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="${stroke}"${dash}/>`;
  if (kind === 'group') return [frame, label(x + 12, y + 20, text, 'font-weight="bold"')];
  const lines = text.split('|').map((line) => line.trim());
  const first = y + height / 2 - ((lines.length - 1) * lineHeight) / 2 + 5;
  const drawn = lines.map((line, i) =>
    label(x + width / 2, first + i * lineHeight, line, `text-anchor="middle"${i === 0 ? ' font-weight="bold"' : ''}`),
  );
  return [frame, ...drawn];
}

/** The point that `engine.r+20` names. */
function anchor(boxes: Map<string, Box>, name: string): { x: number; y: number } {
  const [, id, side, offset] = /^([\w-]+)\.([lrtb])([+-]\d+)?$/.exec(name) ?? [];
  const box = boxes.get(id ?? '');
  if (box === undefined) throw new Error(`no such place: ${name}`);
  const along = Number(offset ?? 0);
  if (side === 'l' || side === 'r') {
    return { x: side === 'l' ? box.x : box.x + box.width, y: box.y + box.height / 2 + along };
  }
  return { x: box.x + box.width / 2 + along, y: side === 't' ? box.y : box.y + box.height };
}

function drawArrow(from: { x: number; y: number }, to: { x: number; y: number }, text: string, two: boolean): string[] {
  const heads = `marker-end="url(#head)"${two ? ' marker-start="url(#tail)"' : ''}`;
  const line = `<line x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}" stroke="${ink}" ${heads}/>`;
  if (text === '') return [line];
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  const steep = Math.abs(to.y - from.y) > Math.abs(to.x - from.x);
  const place = steep
    ? label(x + 8, y + 4, text, 'font-size="12"')
    : label(x, y - 7, text, 'font-size="12" text-anchor="middle"');
  return [line, place];
}

/** Throws with the line's number on a line that says nothing known. */
export function drawFigure(source: string): string {
  const boxes = new Map<string, Box>();
  const [frames, arrows]: string[][] = [[], []];
  let [width, height, title] = [800, 400, ''];
  source.split('\n').forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const [word, ...rest] = line.trim().split(/\s+/);
    const numbers = (from: number, count: number): number[] => rest.slice(from, from + count).map(Number);
    const text = (from: number): string => rest.slice(from).join(' ');
    if (word === 'size') [width, height] = numbers(0, 2);
    else if (word === 'title') title = text(0);
    else if (word === 'group' || word === 'box' || word === 'later') {
      const [x, y, w, h] = numbers(1, 4);
      boxes.set(rest[0], { x, y, width: w, height: h });
      frames.push(...drawBox(word, { x, y, width: w, height: h }, text(5)));
    } else if (word === 'arrow' || word === 'both') {
      arrows.push(...drawArrow(anchor(boxes, rest[0]), anchor(boxes, rest[1]), text(2), word === 'both'));
    } else if (word === 'note') {
      const [x, y] = numbers(0, 2);
      arrows.push(label(x, y, text(2), 'font-size="12" fill="#52606d"'));
    } else throw new Error(`line ${index + 1}: unknown word ${word}`);
  });
  const head = (id: string, path: string, ref: number): string =>
    `<marker id="${id}" markerWidth="9" markerHeight="8" refX="${ref}" refY="4" orient="auto"><path d="${path}" fill="${ink}"/></marker>`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="${ink}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<defs>${head('head', 'M0,0 L9,4 L0,8 z', 9)}${head('tail', 'M9,0 L0,4 L9,8 z', 0)}</defs>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    label(width / 2, 26, title, 'font-size="17" font-weight="bold" text-anchor="middle"'),
    ...frames,
    ...arrows,
    '</svg>',
  ].join('\n')}\n`;
}

export const figuresDirectory: string = join(top, 'docs/figures');

export function figureNames(): string[] {
  const sources = readdirSync(figuresDirectory).filter((name) => name.endsWith('.txt'));
  return sources.map((name) => name.slice(0, -'.txt'.length)).sort();
}

if (import.meta.main) {
  for (const name of figureNames()) {
    const svg = drawFigure(readFileSync(join(figuresDirectory, `${name}.txt`), 'utf8'));
    writeFileSync(join(figuresDirectory, `${name}.svg`), svg);
    process.stdout.write(`docs/figures/${name}.svg\n`);
  }
}
