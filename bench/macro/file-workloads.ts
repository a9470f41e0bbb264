/** The workloads of the file store beside backup and restore, by their names. */
import type { Row } from '../result/schema.ts';
import type { Run, Workload } from '../run-context.ts';
import { control } from './control.ts';
import { copies } from './copies.ts';
import { lists } from './lists.ts';
import { mixed } from './mixed.ts';
import { randomReads } from './random-read.ts';
import { smallImages } from './small-images.ts';

export const fileWorkloads: Partial<Record<Workload, (run: Run) => Promise<Row[]>>> = {
  mixed,
  'small-images': smallImages,
  'random-read': randomReads,
  copy: copies,
  list: lists,
  control,
};
