/** The code under test as an argument: the shipped modules, or a copy of them with a planted bug. */
import * as budget from '../../engine/transfer/budget.ts';
import * as coverage from '../../engine/transfer/coverage.ts';
import * as durable from '../../engine/transfer/durable.ts';
import * as ledger from '../../engine/transfer/ledger.ts';
import * as readPlan from '../../engine/transfer/read-plan.ts';
import * as retry from '../../engine/transfer/retry.ts';
import * as shaFrontier from '../../engine/transfer/sha-frontier.ts';
import * as writePlan from '../../engine/transfer/write-plan.ts';

export const shipped = {
  ...budget,
  ...coverage,
  ...durable,
  ...ledger,
  ...readPlan,
  ...retry,
  ...shaFrontier,
  ...writePlan,
};
export type TransferCode = typeof shipped;

const files = ['budget', 'coverage', 'durable', 'ledger', 'read-plan', 'retry', 'sha-frontier', 'write-plan'];

/** The same from a copy; `base` is the URL of a directory that holds engine/. */
export async function codeFrom(base: URL): Promise<TransferCode> {
  const modules = await Promise.all(files.map((file) => import(new URL(`engine/transfer/${file}.ts`, base).href)));
  return Object.assign({}, ...modules) as TransferCode;
}
