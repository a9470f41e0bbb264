/** Lines are told apart by colour, dash and marker together: one of them is enough for whoever cannot see another. */
import {
  type SymbolType,
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from 'd3-shape';
import { html, type Safe } from './html.ts';
import type { Line } from './select.ts';

export interface Style {
  /** Class of stroke and fill: css.ts has the colours, for light, dark and print. */
  readonly colour: string;
  readonly dash: string;
  readonly marker: SymbolType;
}

const byMode: Record<string, Style> = {
  default: { colour: 'c0', dash: '', marker: symbolCircle },
  sums: { colour: 'c1', dash: '7 2', marker: symbolSquare },
  'io-only': { colour: 'c2', dash: '2 2', marker: symbolTriangle },
};
const plain: Style = { colour: 'c3', dash: '9 3 2 3', marker: symbolDiamond };
const floor: Style = { colour: 'cf', dash: '5 4', marker: symbolCross };
const peer: Style = { colour: 'c4', dash: '1 3', marker: symbolStar };
/** For a second subject of the same kind in one plot. */
const others: readonly Style[] = [
  { colour: 'c5', dash: '12 3', marker: symbolWye },
  { colour: 'c6', dash: '4 2 1 2', marker: symbolSquare },
  { colour: 'c7', dash: '3 5', marker: symbolDiamond },
];

function usual({ role, mode }: Pick<Line, 'role' | 'mode'>): Style {
  if (role === 'floor') return floor;
  if (role === 'peer') return peer;
  if (role === 'plain') return plain;
  return byMode[mode ?? 'default'];
}

export type Styles = ReadonlyMap<string, Style>;

/** The same subject looks the same in all plots of a section. */
export function stylesOf(all: readonly Pick<Line, 'subject' | 'role' | 'mode'>[]): Styles {
  const found = new Map<string, Style>();
  const taken = new Set<Style>();
  let next = 0;
  for (const line of all) {
    if (found.has(line.subject)) continue;
    const first = usual(line);
    const style = taken.has(first) ? others[next++ % others.length] : first;
    taken.add(style);
    found.set(line.subject, style);
  }
  return found;
}

export function mark({ colour, marker }: Style, x: number, y: number, size = 44): Safe {
  const shape = symbol(marker, size)() ?? '';
  return html`<path class="mark ${colour}" transform="translate(${x},${y})" d="${shape}"/>`;
}

export function legend(styles: Styles): Safe {
  const entries = [...styles].map(
    ([name, style]) => html`<li><svg class="swatch" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">
<path class="line ${style.colour}" stroke-dasharray="${style.dash}" d="M1,7H33"/>${mark(style, 17, 7)}</svg>${name}</li>`,
  );
  return html`<ul class="legend">${entries}</ul>`;
}
