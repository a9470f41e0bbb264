/** bench/budget.json: what one block, byte or image may cost. docs/developers/budget.md says how to read and change it. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const text = z.string().min(1).max(600);

const entrySchema = z.strictObject({
  /** What is counted; with `in` it names one figure of the run. */
  what: text,
  /** Runs that it is counted in. */
  in: z.array(text).min(1),
  unit: text,
  /** Of a count: more than this fails. Of a ratio: what was usual, to look at; null: no machine has told it yet. */
  limit: z.number().nonnegative().nullable(),
  /** count: does not depend on the machine's mood. ratio: does, and is reported alone. */
  kind: z.enum(['count', 'ratio']),
  /** Why so much, and no less: what a block needs it for. */
  why: text,
});
export type BudgetEntry = z.infer<typeof entrySchema>;

export const budgetSchema = z
  .strictObject({ schema: z.literal('vast-ost budget 1'), entries: z.array(entrySchema).min(1) })
  .superRefine(({ entries }, context) => {
    const seen = new Set<string>();
    for (const { what, in: runs, kind, limit } of entries) {
      if (kind === 'count' && limit === null) context.addIssue(`${what}: a count has a limit`);
      for (const run of runs) {
        if (seen.has(`${run}: ${what}`)) context.addIssue(`${run}: ${what} has two entries`);
        seen.add(`${run}: ${what}`);
      }
    }
  });
export type Budget = z.infer<typeof budgetSchema>;

export function readBudget(file: string): Budget {
  return budgetSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
}
