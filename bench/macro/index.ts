/** The workloads that there are, by store. Each is loaded when it runs. */
import type { Row } from '../result/schema.ts';
import type { Run, StoreName, Workload } from '../run-context.ts';

export interface Part {
  readonly workloads: readonly Workload[];
  readonly store: StoreName;
  /** Comparisons that it makes: the time that is left is estimated by them. */
  points(run: Run): number;
  rows(run: Run): Promise<Row[]>;
}

const sweep = ({ blocks, streams }: Run): number => blocks.length * streams.length;

/** One of bench/macro/file-workloads.ts. */
function onFiles(workload: Workload, points: number): Part {
  return {
    workloads: [workload],
    store: 'file',
    points: () => points,
    rows: async (run) => {
      const { fileWorkloads } = await import('./file-workloads.ts');
      return (await fileWorkloads[workload]?.(run)) ?? [];
    },
  };
}

export const parts: readonly Part[] = [
  {
    workloads: ['write', 'restore'],
    store: 'file',
    points: sweep,
    rows: async (run) => (await import('./backup-restore.ts')).backupRestore(run),
  },
  onFiles('mixed', 1),
  onFiles('random-read', 1),
  onFiles('copy', 1),
  onFiles('small-images', 2),
  onFiles('control', 2),
  onFiles('list', 2),
  {
    workloads: ['write', 'restore'],
    store: 's3',
    points: sweep,
    rows: async (run) => (await import('../s3/rows.ts')).s3Rows(run),
  },
];

/** Those of the store; of these what is asked for, else all. */
export function partsOf(store: StoreName, wanted: readonly Workload[] | null): Part[] {
  return parts.filter((part) => {
    return part.store === store && (wanted === null || part.workloads.some((workload) => wanted.includes(workload)));
  });
}
