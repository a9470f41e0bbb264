/**
 * Where an image's bytes are cut into parts of an upload, one rule which the store and the coordinator both go by; and
 * what its fragments are called.
 */

/** S3 takes no smaller part but the last. */
export const partBytesMin = 5 * 1024 * 1024;
/** A part ends where a chunk ends: the chunk in which a durable size lies can then be read back. */
const partGrain = 1024 * 1024;

/**
 * Bytes from `start` on are in no part yet, and a block has brought the image to `end`. Returns where the part ends that
 * is sent now; `start`: none is, the bytes wait.
 */
export function partEnd(start: number, end: number): number {
  const border = end - (end % partGrain);
  return border - start < partBytesMin ? start : border;
}

/** More are in no image. */
export const fragmentsMax = 512;

/** Of the data objects that a writer makes one after the other, from 1. */
export function fragmentName(n: number): string {
  return n === 1 ? 'image.data' : `image.data.${String(n).padStart(4, '0')}`;
}

/** 0: no such name. */
export function fragmentNumber(name: string): number {
  const n = name === fragmentName(1) ? 1 : Number(/^image\.data\.([0-9]{4})$/.exec(name)?.[1] ?? 0);
  return n > 0 && n <= fragmentsMax && fragmentName(n) === name ? n : 0;
}
