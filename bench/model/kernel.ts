/**
 * How Linux gives cores to threads, by its source (6.6 and later: kernel/sched/fair.c), as far as it decides what a load
 * moves. These are constants of the kernel, not of a machine, and none of them was chosen to meet a point.
 *
 * Pure.
 */

/** Of a thread of nice value 0, and of a digest lane's, which the engine makes nice by 5 (sched_prio_to_weight). */
export const weight = 1024;
export const digestWeight = 335;

/** Who runs keeps its core for a slice, which ends at a tick: between base_slice of two cores and a tick of 250 Hz. */
export const sliceS = 3e-3;

/** An idle core is told of threads that wait elsewhere at others' ticks, not at every one. */
export const balanceS = 8e-3;

/** What a core did counts half after so long (PELT). */
export const utilisationHalfLifeS = 32e-3;

/** sched_domain.imbalance_pct of cores that share a cache. */
const imbalance = 1.17;

/**
 * A thread that wakes is given an idle core only where so little of all cores ran of late: above that so few idle ones
 * are expected that they are not looked for, and with two cores that is early (SIS_UTIL: update_idle_cpu_scan).
 */
export function idleSearchBelow(cores: number): number {
  return Math.sqrt(1 - 1 / cores) / imbalance;
}
