/** The frame of a plot: figure with caption, SVG with title and description, axes with few lines and round numbers. */
import { html, type Part, type Safe } from './html.ts';

export interface Box {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Two a row where there are few or their labels need room, else three: css.ts has the columns. */
export type Width = 'half' | 'third';
export const widths: Record<Width, number> = { half: 480, third: 340 };

export interface Plot {
  readonly title: string;
  /** Unit, what is plotted, n and interval. */
  readonly note: string;
  /** What it shows, in words, for who does not see it. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly content: Part;
}

export function figure({ title, note, description, width, height, content }: Plot): Safe {
  return html`<figure><figcaption><b>${title}</b><span>${note}</span></figcaption>
<svg role="img" viewBox="0 0 ${width} ${height}"><title>${title}: ${note}</title><desc>${description}</desc>
${content}</svg></figure>
`;
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export function axisY(box: Box, ticks: readonly Tick[]): Safe[] {
  const bottom = box.height - box.bottom;
  const lines = ticks.map(({ at, text }) => {
    const grid = Math.abs(at - bottom) < 0.5 ? 'base' : 'grid';
    return html`<line class="${grid}" x1="${box.left}" x2="${box.width - box.right}" y1="${at}" y2="${at}"/><text class="tick" x="${box.left - 8}" y="${at + 4}" text-anchor="end">${text}</text>`;
  });
  if (ticks.some(({ at }) => Math.abs(at - bottom) < 0.5)) return lines;
  return [
    ...lines,
    html`<line class="base" x1="${box.left}" x2="${box.width - box.right}" y1="${bottom}" y2="${bottom}"/>`,
  ];
}

export function axisX(box: Box, ticks: readonly Tick[], label: string, grid = false): Safe[] {
  const y = box.height - box.bottom;
  const marks = ticks.map(
    ({ at, text }) =>
      html`${grid ? html`<line class="grid" x1="${at}" x2="${at}" y1="${box.top}" y2="${y}"/>` : null}<text class="tick" x="${at}" y="${y + 17}" text-anchor="middle">${text}</text>`,
  );
  const middle = (box.left + box.width - box.right) / 2;
  return [...marks, html`<text class="label" x="${middle}" y="${y + 34}" text-anchor="middle">${label}</text>`];
}

/** About the width of text at 12 px: figures and small letters are near 6.5, and nothing here can measure. */
export function textWidth(text: string): number {
  return text.length * 6.6;
}

/** Cut where it would run out of its room; whole in a tooltip. */
export function fitted(text: string, width: number): string {
  const letters = Math.max(4, Math.round(width / 6.6));
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}

/** An interval as a bar with ends; not drawn where there is none. */
export function bar(colour: string, at: number, from: number, to: number, upright: boolean): Safe | null {
  if (!Number.isFinite(from) || !Number.isFinite(to) || from === to) return null;
  const d = upright
    ? `M${at.toFixed(1)},${from.toFixed(1)}V${to.toFixed(1)}M${(at - 4).toFixed(1)},${from.toFixed(1)}h8M${(at - 4).toFixed(1)},${to.toFixed(1)}h8`
    : `M${from.toFixed(1)},${at.toFixed(1)}H${to.toFixed(1)}M${from.toFixed(1)},${(at - 4).toFixed(1)}v8M${to.toFixed(1)},${(at - 4).toFixed(1)}v8`;
  return html`<path class="interval ${colour}" d="${d}"/>`;
}

/** `intro` stands with the title and the lead, and on paper with what follows. */
export function section(id: string, title: string, lead: Part, content: Part, intro: Part = null): Safe {
  return html`<section id="${id}"><div class="intro"><h2>${title}</h2>${lead === null ? null : html`<p class="lead">${lead}</p>`}
${intro}</div>
${content}</section>
`;
}
