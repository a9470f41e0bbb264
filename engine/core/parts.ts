/** Where an image's bytes are cut into parts of an upload: one rule, which the store and the coordinator both go by. */

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
