import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { drawFigure, figureNames, figuresDirectory } from '../../scripts/figures.ts';

describe('figures', () => {
  test.each(figureNames())('docs/figures/%s.svg is what its text draws', (name) => {
    const [source, svg] = ['txt', 'svg'].map((kind) => readFileSync(join(figuresDirectory, `${name}.${kind}`), 'utf8'));
    expect(drawFigure(source) === svg, 'drawn anew: node scripts/run.mjs scripts/figures.ts').toBe(true);
  });

  test('a line that says nothing known, or names no place, is refused', () => {
    expect(() => drawFigure('size 10 10\ncircle a')).toThrow('line 2: unknown word circle');
    expect(() => drawFigure('box a 0 0 1 1 A\narrow a.r b.l')).toThrow('no such place: b.l');
  });

  test('text is escaped', () => {
    expect(drawFigure('box a 0 0 1 1 <b> & c')).toContain('&lt;b&gt; &amp; c');
  });
});
