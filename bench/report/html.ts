/**
 * Text becomes HTML in one place: every value of a template is escaped unless it came from a template itself. What a
 * result says was written by anybody; none of it may become an element, an attribute or a reference.
 */
export class Safe {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Part = string | number | Safe | null | readonly Part[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Also: control characters, and those that turn the direction of text, which would reorder what stands beside them. */
export function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\ufffe\uffff]/gu, '\ufffd')
    .replaceAll(/[&<>"']/g, (c) => entities[c]);
}

function part(value: Part): string {
  if (value === null) return '';
  if (value instanceof Safe) return value.text;
  // Coordinates: a hundredth of a pixel is enough.
  if (typeof value === 'number') return Number.isFinite(value) ? String(Number(value.toFixed(2))) : '0';
  if (typeof value === 'string') return escaped(value);
  return value.map(part).join('');
}

/** HTML or SVG. Attributes stand in double quotes in the template. */
export function html(strings: TemplateStringsArray, ...values: Part[]): Safe {
  return new Safe(strings.reduce((all, text, i) => all + part(values[i - 1] ?? null) + text));
}
