/** Who may remove what a sweep found: only what has provably no living owner, or is older than any job. */
import type { SweepItem } from '../core/store.ts';
import { type ClaimContent, claimVerdict, decodeClaim, maybeUnderWay, type ProcessIdentity } from './claim.ts';
import { ownerIsDead, ownerOf } from './owner.ts';

/** Of a removal whose owner is on another machine: no removal takes so long, seconds. */
const removalAgeS = 3600;

/** What says nothing of its owner is left alone for as long as any job may run, seconds. */
export const ownerlessAgeS = 7 * 24 * 3600;

export interface Judge {
  readonly self: ProcessIdentity;
  readonly alive: (pid: number, startTime: number) => boolean;
  /** Seconds since 1970. */
  readonly now: number;
  /** Age from which ownerless things go, seconds. */
  readonly ownerlessAgeS: number;
  /** The engine has several mounts: a claim tells whoever resumes the image where late writes may be under way. */
  readonly severalMounts: boolean;
  /** Somebody asked for it, and may remove also what may be a damaged image. */
  readonly byHand: boolean;
}

/**
 * Trash has no owner, a claim's text tells, a temporary's name does. What tells nothing, or names an owner of whom nothing
 * is known here, waits for its age; a claim itself never goes by age. What our own process made it finishes itself.
 */
export function isCondemned(item: SweepItem, judge: Judge): boolean {
  if (item.kind === 'trash') return true;
  if (item.kind === 'removal') {
    const age = Math.min(removalAgeS, judge.ownerlessAgeS);
    return ownerIsDead(item.token, judge.self, judge.alive) || judge.now - item.modifiedAt >= age;
  }
  if (ownerOf(item.token) !== null) return ownerIsDead(item.token, judge.self, judge.alive);
  const owner = item.claim === null ? null : decodeClaim(item.claim);
  const verdict = item.claim === null ? null : claimVerdict(owner, judge.self, judge.alive);
  if (item.kind === 'claim' && owner !== null && tellsTheMount(owner, judge)) return false;
  if (verdict === 'dead') return true;
  if (item.kind === 'claim' || verdict === 'ours') return false;
  if (item.kind === 'orphan' && !judge.byHand) return false;
  return judge.now - item.modifiedAt >= judge.ownerlessAgeS;
}

function tellsTheMount(owner: ClaimContent, { self, severalMounts }: Judge): boolean {
  return (severalMounts || owner.mount !== undefined) && maybeUnderWay(owner, self);
}
