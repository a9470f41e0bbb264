/**
 * The reference model: the plainest reading of what the calls promise, on plain arrays. One cell is 512 bytes; its value
 * is the seed of the data that was written there last, 0 for bytes that were never written.
 */
export const cellBytes = 512;
export const chunkCells = (1 << 20) / cellBytes;

/** Where stores rightly differ. Each is said in docs/, and everything else is the same for all. */
export interface StoreTraits {
  /** In order: a write that does not begin where the image ends is refused, and nothing of the handle is taken after it. */
  readonly writes: 'anywhere' | 'in order';
  /** A long image becomes durable on its way, whenever that suits the engine; its metadata only by flush and close. */
  readonly durableOnItsWay: boolean;
  /**
   * What a read of an image that was deleted since it was opened may say instead of the right bytes. None: who has an
   * image open reads on.
   */
  readonly deletedSays: readonly string[];
  readonly imageCellsMax: number;
}

export const fileTraits: StoreTraits = {
  writes: 'anywhere',
  durableOnItsWay: false,
  deletedSays: [],
  imageCellsMax: 5 * chunkCells,
};

/** Long enough for parts, and for becoming durable between them. */
export const bucketTraits: StoreTraits = {
  writes: 'in order',
  durableOnItsWay: true,
  // It is gone; or another of the same name is there.
  deletedSays: ['STS_ENOENT', 'STS_ESYSTEM'],
  imageCellsMax: 28 * chunkCells,
};

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
  /**
   * A write out of order. It fails late: told by some call from it on, at the latest by flush or complete close; and once
   * told, by every call that writes.
   */
  refused: 'no' | 'not yet told' | 'told';
}

export type Outcome =
  | 'STS_ENOTSUP'
  | 'STS_EOK'
  | 'STS_EINVAL'
  | 'STS_ENOENT'
  | 'STS_EBUSY'
  | 'STS_EEXIST'
  | 'STS_ESTATE';

export class ModelStore {
  readonly images = new Map<string, ModelImage>();
  readonly traits: StoreTraits;

  constructor(traits: StoreTraits) {
    this.traits = traits;
  }

  create(key: string): Outcome {
    if (this.images.has(key)) return 'STS_EEXIST';
    const writer: ModelWriter = { cells: [], metadata: [], firstLimit: Number.POSITIVE_INFINITY, refused: 'no' };
    this.images.set(key, { state: 'pending', durable: [], lowest: 0, metadata: [], writer });
    return 'STS_EOK';
  }

  openWrite(key: string): Outcome {
    const image = this.images.get(key);
    if (image === undefined) return 'STS_ENOENT';
    if (image.writer !== null) return 'STS_EBUSY';
    if (image.state === 'complete') return 'STS_ESTATE';
    const { durable, metadata } = image;
    image.writer = { cells: [...durable], metadata: [...metadata], firstLimit: durable.length, refused: 'no' };
    image.lowest = image.durable.length;
    return 'STS_EOK';
  }

  openRead(key: string): Outcome {
    const image = this.images.get(key);
    if (image === undefined) return 'STS_ENOENT';
    return image.state === 'complete' ? 'STS_EOK' : 'STS_ESTATE';
  }

  /** What the call may say. */
  write(image: ModelImage, at: number, count: number, seed: number): readonly Outcome[] {
    const { writer } = image;
    if (writer === null) throw new Error('no writer');
    if (this.traits.writes === 'in order' && at !== writer.cells.length && writer.refused === 'no') {
      writer.refused = 'not yet told';
    }
    if (writer.refused !== 'no') return this.late(writer);
    while (writer.cells.length < at) writer.cells.push(0);
    for (let i = 0; i < count; i++) writer.cells[at + i] = seed;
    writer.firstLimit = Number.POSITIVE_INFINITY;
    if (at < image.durable.length) {
      image.lowest = Math.min(image.lowest, Math.floor(at / chunkCells) * chunkCells);
    }
    return ['STS_EOK'];
  }

  /** What a call that writes may say. */
  late({ refused }: ModelWriter): readonly Outcome[] {
    if (refused === 'no') return ['STS_EOK'];
    return refused === 'told' ? ['STS_ENOTSUP'] : ['STS_EOK', 'STS_ENOTSUP'];
  }

  /** What the call said. */
  told(image: ModelImage, outcome: string): void {
    if (outcome === 'STS_ENOTSUP' && image.writer !== null) image.writer.refused = 'told';
  }

  /** EINVAL: there is a hole. */
  flush(image: ModelImage): Outcome {
    const { writer } = image;
    if (writer === null) throw new Error('no writer');
    if (writer.refused !== 'no') {
      writer.refused = 'told';
      return 'STS_ENOTSUP';
    }
    if (writer.cells.includes(0)) return 'STS_EINVAL';
    image.durable = [...writer.cells];
    image.lowest = image.durable.length;
    image.metadata = [...writer.metadata];
    return 'STS_EOK';
  }

  /** Unless all of it became durable the writer stays, until abandoned() is told what did. */
  close(image: ModelImage, complete: boolean): { outcome: Outcome; durable: boolean } {
    const wasTold = image.writer?.refused === 'told';
    const outcome = this.flush(image);
    const durable = outcome === 'STS_EOK';
    if (durable) image.writer = null;
    if (durable && complete) image.state = 'complete';
    // A refusal is told once, and again only to a host program that takes the image for complete.
    return { outcome: wasTold && !complete ? 'STS_EOK' : outcome, durable };
  }

  /** The writer has ended: `durable` cells are what the engine says is left. False: it may not say so. */
  abandoned(image: ModelImage, durable: number): boolean {
    const cells = image.writer?.cells ?? [];
    image.writer = null;
    if (this.traits.durableOnItsWay && durable > image.durable.length && durable <= cells.length) {
      image.durable = cells.slice(0, durable);
      image.lowest = durable;
      return true;
    }
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
