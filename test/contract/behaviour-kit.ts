/** What the tests of the behaviour table share. */
import { expect } from 'vitest';
import type { Answer, HostScript } from '../support/host-program.ts';
import type { Cell } from './behaviour-table.ts';

export function expectCell(answer: { name: string; text: string }, cell: Cell): void {
  expect({ name: answer.name, text: answer.text }).toEqual({
    name: cell.status === 'OK' ? 'STS_EOK' : `STS_${cell.status}`,
    text: cell.status === 'OK' ? '' : expect.stringContaining(cell.text),
  });
}

/** All pairs of a table. */
export function pairs<A, B>(first: readonly A[], second: readonly B[]): [A, B][] {
  return first.flatMap((a) => second.map((b): [A, B] => [a, b]));
}

/** Runs a line in a forked child, as bptm's children would. */
export async function inChild(host: HostScript, line: string): Promise<Answer> {
  await host.ok('fork');
  const answer = await host.call(line);
  host.child.stdin?.write('end_fork\n');
  await host.next(); // the child's last word
  expect(await host.next()).toMatchObject({ exit: 0 }); // the parent's fork
  return answer;
}
