/** Why no verdict may be drawn from a result: reasons in words, each with what to do; none when it was quiet. */
import { aaErrors, rowName, values } from './rows.ts';
import type { Result, Row } from './schema.ts';
import { type Estimate, estimate } from './stats.ts';

const aaMax = 0.03;
const widthMax = 0.1;
/** Fewer samples have no interval of 95 %. */
const samplesMin = 6;
/** Of processors: what ran before the bench did. */
const loadMin = 0.5;
const loadShare = 0.05;
/** Of the time of all processors. */
const stealMax = 0.02;

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

/** Relative: how far apart the ends of the interval are. */
function width({ low, high, median }: Estimate): number {
  return (high - low) / median;
}

function widest(rows: readonly Row[]): { row: Row; width: number } | null {
  const measured = rows
    .filter(({ role }) => role === 'engine' || role === 'floor')
    .map((row) => ({ row, width: width(estimate(values(row))) }))
    .filter((one) => Number.isFinite(one.width));
  return measured.toSorted((a, b) => b.width - a.width)[0] ?? null;
}

function stolen({ rows, conditions }: Pick<Result, 'rows' | 'conditions'>): number {
  const samples = rows.flatMap((row) => row.samples);
  const seconds = samples.reduce((sum, sample) => sum + sample.seconds, 0);
  const steal = samples.reduce((sum, { counters }) => sum + (counters['cpu.stealS'] ?? 0), 0);
  return seconds === 0 ? 0 : steal / (seconds * conditions.cores);
}

export function noisyReasons(result: Pick<Result, 'rows' | 'conditions' | 'cut'>): string[] {
  const { rows, conditions, cut } = result;
  const reasons: string[] = [];
  if (cut !== null) reasons.push(`it ended early: ${cut}. Let it run to its end`);
  const loadMax = Math.max(loadMin, conditions.cores * loadShare);
  if (conditions.loadBefore > loadMax) {
    reasons.push(
      `load before it was ${conditions.loadBefore.toFixed(2)}, more than ${loadMax.toFixed(2)}. Start it when the machine has done nothing for some minutes`,
    );
  }
  const fewest = Math.min(Number.POSITIVE_INFINITY, ...rows.map(({ samples }) => samples.length));
  if (fewest < samplesMin) {
    reasons.push(
      `n = ${fewest}: below ${samplesMin} alternations an interval covers less than 95 %. Give --alternations ${samplesMin}, or more`,
    );
  }
  const worst = aaErrors(rows).toSorted((a, b) => b.error - a.error)[0];
  if (worst !== undefined && worst.error >= aaMax) {
    reasons.push(
      `the engine and its twin differ by ${percent(worst.error)}, ${percent(aaMax)} and more: ${rowName(worst.row)}. Longer images (--size) and more --alternations lessen it where nothing else runs on machine and storage`,
    );
  }
  const wide = widest(rows);
  if (wide !== null && wide.width > widthMax) {
    reasons.push(
      `an interval is ${percent(wide.width)} wide, more than ${percent(widthMax)}: ${rowName(wide.row)}. More --alternations narrow it; a disk that changes its rate can be held to one (--disk-rate)`,
    );
  }
  const steal = stolen(result);
  if (steal > stealMax) {
    reasons.push(
      `the hypervisor took ${percent(steal)} of the processors' time for others. Measure at a quieter hour, or on a host that is not shared`,
    );
  }
  return reasons;
}
