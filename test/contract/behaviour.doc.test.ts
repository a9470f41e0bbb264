/** One behaviour, said three times: in the document, in the data of the tests, in the table that the engine asks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { imageCalls, imageStates, moves } from '../../engine/image/lifecycle.ts';
import { imageTable, renderTables } from './behaviour-table.ts';

const path = join(import.meta.dirname, '../../docs/behaviour.md');

test.each(Object.entries(renderTables()))('docs/behaviour.md shows the table of %s as it is tested', (name, table) => {
  const begin = `<!-- table: ${name} -->\n`;
  const end = `\n<!-- end: ${name} -->`;
  const text = readFileSync(path, 'utf8');
  const at = text.indexOf(begin) + begin.length;
  const until = text.indexOf(end);
  expect(at >= begin.length && until > at, `the place of table ${name}`).toBe(true);
  // Written by: VAST_OST_WRITE_DOCS=1 npm test -- behaviour.doc
  if (process.env.VAST_OST_WRITE_DOCS) writeFileSync(path, text.slice(0, at) + table + text.slice(until));
  else expect(text.slice(at, until)).toBe(table);
});

test.each(imageCalls.flatMap((call) => imageStates.map((state) => [call, state] as const)))(
  'the engine holds %s of an image that is %s for what the table says',
  (call, state) => {
    const cell = imageTable[call][state];
    const move = moves[state][call];
    if ('refused' in move) {
      expect(cell.status).toBe(move.refused);
      // Of a damaged image the engine's text names the field instead.
      if (move.refused !== 'EDAMAGED') expect(cell.text).toBe(move.text);
    } else if (call === 'copyTo') {
      // On its way the copy is busy; when the call returns it is complete.
      expect([move.to, cell.effect]).toEqual(['busy', 'complete']);
    } else expect([cell.status, cell.effect]).toEqual(['OK', move.to]);
  },
);
