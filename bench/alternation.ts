/** Paired and alternating: in every round each subject runs once, so that a machine that changes its speed changes it for all. */
import type { Row, Sample } from './result/schema.ts';
import type { Load, Run, Subject, Taken } from './run-context.ts';

/** A value with its unit, for people. */
export function valueText(value: number, unit: Row['unit']): string {
  if (unit === 'B/s') return `${(value / 1e9).toFixed(2)} GB/s`;
  if (unit === 'per s') return `${value.toFixed(0)} per s`;
  return unit === 's' ? `${value.toFixed(3)} s` : `${value.toFixed(1)} µs`;
}

/** Rows of all subjects and measures. Throws when the run is over; what was taken until then is kept in the run. */
export async function alternate(run: Run, subjects: readonly Subject[], load: Load): Promise<Row[]> {
  const rows = new Map(subjects.map((subject) => [subject, rowsOf(run, subject, load)]));
  const all = [...rows.values()].flat();
  try {
    for (let round = 1 - run.warmUps; round <= run.alternations; round++) {
      // Forth and back, so that no subject always runs behind the same other one.
      const order = round % 2 === 0 ? subjects : subjects.toReversed();
      for (const subject of order) {
        const samples = await takeAll(run, subject, load, round);
        if (round < 1) continue;
        rows.get(subject)?.forEach((row, i) => void row.samples.push(samples[i] as Sample));
      }
    }
  } finally {
    run.keep(all.filter(({ samples }) => samples.length > 0));
  }
  return all;
}

function rowsOf(run: Run, { name, role, mode, integrity, measures, store = run.store }: Subject, load: Load): Row[] {
  const guarded = integrity === undefined ? {} : { integrity };
  return measures.map(({ workload, unit }) => ({
    workload,
    subject: name,
    role,
    mode,
    store,
    ...load,
    unit,
    ...guarded,
    samples: [],
  }));
}

async function takeAll(run: Run, subject: Subject, load: Load, round: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const step = { subject: subject.name, alternation: round, of: run.alternations };
  try {
    for (const { workload, unit, take } of subject.measures) {
      run.check();
      const what = `${workload}, ${load.streams} ${load.streams === 1 ? 'stream' : 'streams'}`;
      run.progress({ ...step, what });
      const before = run.counters();
      const taken = await take(load);
      samples.push(sampleOf(taken, before, run.counters()));
      run.progress({ ...step, what, rate: valueText(taken.value, unit) });
    }
  } finally {
    await subject.clean?.(load);
  }
  return samples;
}

function sampleOf(taken: Taken, before: Record<string, number>, after: Record<string, number>): Sample {
  const moved = Object.entries(after).flatMap(([name, value]): [string, number][] => {
    const grown = value - (before[name] ?? Number.NaN);
    return grown === 0 || Number.isNaN(grown) ? [] : [[name, grown]];
  });
  return {
    latency: [],
    series: [],
    shares: null,
    ...taken,
    counters: { ...Object.fromEntries(moved), ...taken.counters },
  };
}
