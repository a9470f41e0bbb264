/** Bytes per second of a sample, for programs that do not tell it themselves: a count that only grows, looked at often. */
import { Files, numberOf } from './files.ts';

export interface Point {
  /** Since the first point. */
  readonly seconds: number;
  readonly bytes: number;
}

const everyMs = 200;
/** Three days by seconds; a sample that is longer keeps its first three. */
const pointsMax = (3 * 86_400 * 1000) / everyMs;

/** Bytes moved in each second, from the first; the last is what was left of one. Between points bytes flow evenly. */
export function perSecond(points: readonly Point[]): number[] {
  const last = points.at(-1);
  if (last === undefined || points.length < 2 || last.seconds <= 0) return [];
  const series: number[] = [];
  let before = points[0].bytes;
  let at = 1;
  for (let second = 1; second < last.seconds + 1; second++) {
    const until = Math.min(second, last.seconds);
    while (at < points.length - 1 && points[at].seconds < until) at++;
    const [from, to] = [points[at - 1], points[at]];
    const span = to.seconds - from.seconds;
    const bytes = span <= 0 ? to.bytes : from.bytes + ((to.bytes - from.bytes) * (until - from.seconds)) / span;
    series.push(Math.max(0, bytes - before));
    before = bytes;
  }
  return series;
}

export type Count = () => number | null;

/** Looks while the sample runs; counts that cannot be read leave a gap that is bridged evenly. */
export class Sampler {
  readonly #count: Count;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #points: Point[] = [];
  readonly #start: number;

  constructor(count: Count, now: () => number = () => performance.now() / 1000) {
    this.#count = count;
    this.#now = now;
    this.#start = now();
    this.look();
    this.#timer = setInterval(() => this.look(), everyMs);
    this.#timer.unref();
  }

  look(): void {
    if (this.#points.length >= pointsMax) return;
    const bytes = this.#count();
    if (bytes !== null) this.#points.push({ seconds: this.#now() - this.#start, bytes });
  }

  /** Ends it and gives its series. */
  end(): number[] {
    clearInterval(this.#timer);
    this.look();
    return perSecond(this.#points);
  }
}

/** What a process moved to or from storage, without the page cache's own (/proc/PID/io); not for sockets. */
export function processBytes(pid: number, way: 'read' | 'write', files: Files = new Files()): Count {
  const name = `${way}_bytes: `;
  return () => {
    const line = files.lines(`proc/${pid}/io`).find((text) => text.startsWith(name));
    return numberOf(line?.slice(name.length).trim());
  };
}

/** What went through an interface. */
export function interfaceBytes(name: string, way: 'rx' | 'tx', files: Files = new Files()): Count {
  return () => files.number(`sys/class/net/${name}/statistics/${way}_bytes`);
}
