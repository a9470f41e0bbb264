/**
 * Which of several mounts an image uses: the one with the highest weight, and each pair of image and mount has a weight of
 * its own. So a mount that goes takes only its own images to the others, and gives them back to it when it returns.
 */
import { createHash } from 'node:crypto';

/** 48 bits: a double holds them. */
const weightBytes = 6;

/** Places in `mounts`, the best first. The order of the list does not matter, nor do mounts that are not in it. */
export function ranked(key: string, mounts: readonly string[]): number[] {
  const weights = mounts.map((mount) => weightOf(key, mount));
  return weights.map((_, place) => place).sort((a, b) => (weights[b] as number) - (weights[a] as number));
}

function weightOf(key: string, mount: string): number {
  return createHash('sha256').update(`${mount}\0${key}`).digest().readUIntBE(0, weightBytes);
}
