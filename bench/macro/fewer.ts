import type { Run } from '../run-context.ts';

/** The same run with at most so many alternations: for what takes long and varies little. */
export function fewer(run: Run, alternations: number): Run {
  const [count, warmUps] = [Math.min(run.alternations, alternations), Math.min(run.warmUps, 1)];
  return new Proxy(run, {
    get(target, member) {
      if (member === 'alternations') return count;
      if (member === 'warmUps') return warmUps;
      const value: unknown = Reflect.get(target, member, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
