/** Paired and alternating: in every round each subject runs once, so that a machine that changes its speed changes it for all. */
import { difference } from './conditions/counters.ts';
import { sizeText } from './result/rows.ts';
import type { Row, Sample } from './result/schema.ts';
import { valueText } from './result/text.ts';
import type { Load, Run, Subject, Taken } from './run-context.ts';

/** Rows of all subjects and measures. Throws when the run is over; what was taken until then is kept in the run. */
export async function alternate(run: Run, subjects: readonly Subject[], load: Load): Promise<Row[]> {
  const rows = new Map(subjects.map((subject) => [subject, rowsOf(run, subject, load)]));
  const taken = (): Row[] => [...rows.values()].flat().filter(({ samples }) => samples.length > 0);
  try {
    for (let round = 1 - run.warmUps; round <= run.alternations; round++) {
      // Forth and back, so that no subject always runs behind the same other one.
      const order = round % 2 === 0 ? subjects : subjects.toReversed();
      for (const subject of order.filter((one) => rows.has(one))) {
        const samples = await takeAll(run, subject, load, round).catch((error: unknown) => {
          leftOut(run, subject, load, error);
          rows.delete(subject);
          return [];
        });
        if (round < 1) continue;
        rows.get(subject)?.forEach((row, i) => void row.samples.push(samples[i] as Sample));
      }
    }
  } finally {
    run.keep(taken());
  }
  return taken();
}

/** Another program that fails ends its own rows alone; all else ends the run. */
function leftOut(run: Run, { name, role }: Subject, { streams }: Load, error: unknown): void {
  if (role !== 'peer' || run.signal.aborted) throw error;
  const why = error instanceof Error ? error.message : String(error);
  run.note(`${name} is left out at ${streams} ${streams === 1 ? 'stream' : 'streams'}: ${why.slice(0, 300)}`);
}

function rowsOf(run: Run, subject: Subject, load: Load): Row[] {
  const { name, role, mode, integrity, floor, copies, measures, store = run.store } = subject;
  const more = {
    ...(integrity === undefined ? {} : { integrity }),
    ...(floor === undefined ? {} : { floor }),
    ...(copies === undefined ? {} : { copies }),
  };
  return measures.map(({ workload, unit }) => ({
    workload,
    subject: name,
    role,
    mode,
    store,
    ...load,
    unit,
    ...more,
    samples: [],
  }));
}

async function takeAll(run: Run, subject: Subject, load: Load, round: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const step = { subject: subject.name, alternation: round, of: run.alternations };
  try {
    for (const { workload, unit, take } of subject.measures) {
      run.check();
      const blocks = load.blockBytes > 0 ? `, ${sizeText(load.blockBytes)} blocks` : '';
      const what = `${workload}, ${load.streams} ${load.streams === 1 ? 'stream' : 'streams'}${blocks}`;
      run.progress({ ...step, what });
      const at = run.elapsed();
      const before = run.counters();
      const taken = await take(load);
      run.signal.throwIfAborted();
      samples.push({ at, ...sampleOf(taken, difference(before, run.counters())) });
      run.progress({ ...step, what, rate: valueText(taken.value, unit) });
    }
  } finally {
    await subject.clean?.(load);
  }
  return samples;
}

function sampleOf(taken: Taken, moved: Record<string, number>): Sample {
  const changed = Object.entries(moved).filter(([, value]) => value !== 0);
  const counters = { ...Object.fromEntries(changed), ...taken.counters };
  return { latency: [], series: [], shares: null, ...taken, counters };
}
