/**
 * Faults by chance, the same ones for the same seed: whether a request is hit, and by what, hangs on the seed, on what it
 * asks for and on how often that was asked before, and not on which request came first.
 */
import { random } from '../../model/random-program.ts';
import type { OperationName } from '../server/call.ts';
import { Fault } from '../server/faults.ts';
import type { ProxyAction } from './fault-data.ts';
import type { Asked } from './message.ts';

export const rainKinds = [
  'resetHead',
  'resetIn',
  'resetSent',
  'resetAnswered',
  'resetOut',
  'shortBody',
  'unavailable',
  'slow',
  'duplicateIn',
  'duplicateOut',
  'flipIn',
  'flipOut',
] as const;
export type RainKind = (typeof rainKinds)[number];

export interface RainOptions {
  /** So many of a thousand requests are hit. */
  readonly perMille: number;
  readonly kinds?: readonly RainKind[];
  /** Keys that are hit begin so. */
  readonly prefix?: string;
}

/** A request that was hit so often in a row gets through: who tries again has to see an end. */
const inARowMax = 2;
const slowBytesPerSecond = 40e6;
/** Pieces that are read, and not what is left of one that broke off, begin at multiples of this. */
const pieceBytes = 1024 * 1024;
/** Where the length of an answer is not known, its faults are in so many bytes. */
const answerBytes = 64;
const duplicateBytes = 512;

type Draw = () => number;

/** Bodies whose bytes nobody would check are left as they are: lists over plain http have no sum. */
const read: ReadonlySet<OperationName | null> = new Set<OperationName>(['GetObject']);

const makers: Record<RainKind, (asked: Asked, next: Draw) => ProxyAction | null> = {
  resetHead: () => ({ do: 'reset', at: 'head' }),
  resetIn: ({ bytes }, next) => (bytes === 0 ? null : { do: 'reset', at: 'in', bytes: below(bytes, next) }),
  resetSent: () => ({ do: 'reset', at: 'sent' }),
  resetAnswered: () => ({ do: 'reset', at: 'answered' }),
  resetOut: (asked, next) => (read.has(asked.op) ? { do: 'reset', at: 'out', bytes: below(told(asked), next) } : null),
  shortBody: (asked, next) => (read.has(asked.op) ? { do: 'shortBody', bytes: 1 + below(told(asked), next) } : null),
  unavailable: (_, next) => {
    const retryAfter = next() < 0.1 ? '1' : undefined;
    return { do: 'answer', status: 503, code: 'SlowDown', retryAfter };
  },
  slow: (asked) => ({ do: 'slow', side: read.has(asked.op) ? 'out' : 'in', bytesPerSecond: slowBytesPerSecond }),
  duplicateIn: ({ bytes }, next) => (bytes < 2 ? null : { do: 'duplicate', side: 'in', ...twice(bytes, next) }),
  duplicateOut: (asked, next) =>
    read.has(asked.op) ? { do: 'duplicate', side: 'out', ...twice(told(asked), next) } : null,
  flipIn: ({ bytes }, next) =>
    bytes === 0 ? null : { do: 'flip', side: 'in', offset: below(bytes, next), bit: below(8, next) },
  flipOut: (asked, next) =>
    read.has(asked.op) ? { do: 'flip', side: 'out', offset: below(told(asked), next), bit: below(8, next) } : null,
};

export class Rain {
  readonly #seed: number;
  readonly #options: RainOptions;
  readonly #seen = new Map<string, { asked: number; inARow: number }>();
  /** So many requests were hit by each kind. */
  readonly hits: Partial<Record<RainKind, number>> = {};

  constructor(seed: number, options: RainOptions) {
    this.#seed = seed;
    this.#options = options;
  }

  get total(): number {
    return Object.values(this.hits).reduce((sum, count) => sum + count, 0);
  }

  take(asked: Asked): Fault<ProxyAction> | null {
    const { kinds = rainKinds, perMille, prefix = '' } = this.#options;
    if (!asked.key.startsWith(prefix)) return null;
    const name = `${asked.op} ${asked.key} ${asked.part} ${asked.range}`;
    const seen = this.#seen.get(name) ?? { asked: 0, inARow: 0 };
    this.#seen.set(name, seen);
    const next = random(hashOf(`${this.#seed} ${name} ${seen.asked++}`));
    const kind = kinds[below(kinds.length, next)];
    const action = next() * 1000 < perMille && kind !== undefined ? makers[kind](asked, next) : null;
    const tooMuch = kind?.endsWith('Out') && action?.do !== 'reset' && !mayBeBent(asked, seen.asked);
    if (action === null || kind === undefined || tooMuch || seen.inARow >= inARowMax) {
      seen.inARow = 0;
      return null;
    }
    seen.inARow++;
    this.hits[kind] = (this.hits[kind] ?? 0) + 1;
    return new Fault({ match: {}, action });
  }
}

/**
 * What is bad twice in a row is damaged, and rightly called so: bytes are bent the first time only that they are asked
 * for, and never in two objects that are held against each other.
 */
function mayBeBent({ key, range }: Asked, asked: number): boolean {
  const [, begin = '0'] = /^bytes=(\d+)-/.exec(range) ?? [];
  return asked === 1 && Number(begin) % pieceBytes === 0 && !key.endsWith('.sums');
}

function below(limit: number, next: Draw): number {
  return Math.floor(next() * limit);
}

/** Two pieces of the same bytes would be found by nobody: it is the bytes behind them that move. */
function twice(length: number, next: Draw): { offset: number; bytes: number } {
  const bytes = Math.max(1, Math.min(duplicateBytes, length >> 1));
  return { offset: below(Math.max(1, length - bytes), next), bytes };
}

/** Bytes of the answer, as far as the request tells. */
function told({ range }: Asked): number {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  return from === undefined ? answerBytes : Number(to) - Number(from) + 1;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
