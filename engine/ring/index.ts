export type { AsyncWait, AtomicsLike, WaitResult, Words } from './layout.ts';
export { createRing, recordBytes, recordWords } from './layout.ts';
export { RingReader } from './reader.ts';
export { RingWriter } from './writer.ts';
