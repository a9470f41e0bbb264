/** The table of all operations. */
import type { OperationName } from './call.ts';
import type { Operation } from './context.ts';
import { copyOperations } from './copy.ts';
import { listOperations } from './list-operations.ts';
import { multipartOperations } from './multipart.ts';
import { objectOperations } from './object-operations.ts';

export const operations: Record<OperationName, Operation> = {
  ...objectOperations,
  ...listOperations,
  ...multipartOperations,
  ...copyOperations,
};
