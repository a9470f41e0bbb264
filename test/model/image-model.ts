/**
 * The reference model: the plainest reading of what the calls promise, on plain arrays. One cell is 512 bytes; its value
 * is the seed of the data that was written there last, 0 for bytes that were never written.
 */
export const cellBytes = 512;
export const chunkCells = (1 << 20) / cellBytes;

export interface ModelImage {
  state: 'pending' | 'complete';
  /** What survives: complete, all of it; pending, what the last flush or close made durable. */
  durable: number[];
  /**
   * Durable sizes (in cells) that a writer may leave behind when it ends without a flush: it lowers the durable size
   * before a write below it, at a moment that is its own.
   */
  lowest: number;
  metadata: number[];
  writer: ModelWriter | null;
}

export interface ModelWriter {
  cells: number[];
  metadata: number[];
  /** What the reopened image allows its first write: at or below. Infinity once there was one. */
  firstLimit: number;
}

export type Outcome = 'STS_EOK' | 'STS_EINVAL' | 'STS_ENOENT' | 'STS_EBUSY' | 'STS_EEXIST' | 'STS_ESTATE';

export class ModelStore {
  readonly images = new Map<string, ModelImage>();

  create(key: string): Outcome {
    if (this.images.has(key)) return 'STS_EEXIST';
    const writer = { cells: [], metadata: [], firstLimit: Number.POSITIVE_INFINITY };
    this.images.set(key, { state: 'pending', durable: [], lowest: 0, metadata: [], writer });
    return 'STS_EOK';
  }

  openWrite(key: string): Outcome {
    const image = this.images.get(key);
    if (image === undefined) return 'STS_ENOENT';
    if (image.writer !== null) return 'STS_EBUSY';
    if (image.state === 'complete') return 'STS_ESTATE';
    image.writer = { cells: [...image.durable], metadata: [...image.metadata], firstLimit: image.durable.length };
    image.lowest = image.durable.length;
    return 'STS_EOK';
  }

  openRead(key: string): Outcome {
    const image = this.images.get(key);
    if (image === undefined) return 'STS_ENOENT';
    return image.state === 'complete' ? 'STS_EOK' : 'STS_ESTATE';
  }

  write(image: ModelImage, at: number, count: number, seed: number): void {
    const { writer } = image;
    if (writer === null) throw new Error('no writer');
    while (writer.cells.length < at) writer.cells.push(0);
    for (let i = 0; i < count; i++) writer.cells[at + i] = seed;
    writer.firstLimit = Number.POSITIVE_INFINITY;
    if (at < image.durable.length) {
      image.lowest = Math.min(image.lowest, Math.floor(at / chunkCells) * chunkCells);
    }
  }

  /** EINVAL: there is a hole. */
  flush(image: ModelImage): Outcome {
    const { writer } = image;
    if (writer === null) throw new Error('no writer');
    if (writer.cells.includes(0)) return 'STS_EINVAL';
    image.durable = [...writer.cells];
    image.lowest = image.durable.length;
    image.metadata = [...writer.metadata];
    return 'STS_EOK';
  }

  close(image: ModelImage, complete: boolean): Outcome {
    const result = this.flush(image);
    image.writer = null;
    if (result === 'STS_EOK' && complete) image.state = 'complete';
    return result;
  }

  /** The writer vanished: `durable` cells are what the engine says is left. False: it may not say so. */
  abandoned(image: ModelImage, durable: number): boolean {
    image.writer = null;
    const allowed =
      durable === image.durable.length ||
      durable === image.lowest ||
      (durable > image.lowest && durable < image.durable.length && durable % chunkCells === 0);
    image.durable.length = Math.min(durable, image.durable.length);
    image.lowest = image.durable.length;
    return allowed;
  }

  delete(key: string): Outcome {
    const image = this.images.get(key);
    if (image === undefined) return 'STS_ENOENT';
    if (image.writer !== null) return 'STS_EBUSY';
    this.images.delete(key);
    return 'STS_EOK';
  }

  copy(from: string, to: string): Outcome {
    const source = this.images.get(from);
    if (source === undefined) return 'STS_ENOENT';
    if (source.state !== 'complete') return 'STS_ESTATE';
    if (this.images.has(to)) return 'STS_EEXIST';
    this.images.set(to, { ...source, durable: [...source.durable], metadata: [...source.metadata], writer: null });
    return 'STS_EOK';
  }
}

/** `expect=` of the host program's read for cells [from, from + count): runs of equal seeds. */
export function expectation(cells: readonly number[], offset: number, length: number): string {
  const parts: string[] = [];
  let at = offset;
  const end = Math.min(offset + length, cells.length * cellBytes);
  while (at < end) {
    const seed = cells[Math.floor(at / cellBytes)];
    let to = at;
    while (to < end && cells[Math.floor(to / cellBytes)] === seed)
      to = Math.min(end, (Math.floor(to / cellBytes) + 1) * cellBytes);
    parts.push(`${seed}:${to - at}`);
    at = to;
  }
  return parts.join(',');
}
