/** Keys of what a store keeps in its bucket: the layout of the file store, and what a pending image needs besides. */
import {
  checkClaimNumber,
  checkName,
  claimName,
  claimNumber,
  dataName,
  isDataName,
  isName,
  metaName,
  sumsName,
} from '../layout.ts';

/** Objects of an image that is being uploaded; none of them is left once it is complete. */
const uploadName = '.upload';
/** It is being removed: the first object of a removal, and the last that goes. */
const deletedName = '.deleted';
const tailPrefix = '.tail-';
const sumsPrefix = '.sums-';
/** How a sweep names, behind an image and a slash, what only a pending image needs… */
export const remainsName = '.remains';
/** …and an upload: behind this, whatever its id holds. */
export const uploadPathPrefix = '.upload=';

export class ImageKeys {
  /** Ends with a slash. */
  readonly dir: string;

  constructor(prefix: string, lsu: string, image: string) {
    this.dir = `${prefix}${checkName(lsu)}/${checkName(image)}/`;
  }

  /** `base`: prefix, LSU and a slash. Null: no image has this name. */
  static at(base: string, image: string): ImageKeys | null {
    if (!isName(image)) return null;
    const slash = base.lastIndexOf('/', base.length - 2) + 1;
    return new ImageKeys(base.slice(0, slash), base.slice(slash, -1), image);
  }

  get data(): string {
    return this.dir + dataName;
  }
  get meta(): string {
    return this.dir + metaName;
  }
  get sums(): string {
    return this.dir + sumsName;
  }
  claim(n: number): string {
    return this.dir + claimName(checkClaimNumber(n));
  }
  /** Begin of all claims' keys. */
  get claims(): string {
    return `${this.dir}claim.`;
  }
  /** Which multipart upload, and which of its parts, the pending image has. */
  get upload(): string {
    return this.dir + uploadName;
  }
  /** Tells a removal that was cut short from an image that lost its meta. */
  get deleted(): string {
    return this.dir + deletedName;
  }
  /** The bytes below the durable size `size` that are in no part. */
  tail(size: number): string {
    return `${this.dir}${tailPrefix}${size}`;
  }
  /** A piece of the sums of a pending image. */
  sumsPiece(n: number): string {
    return `${this.dir}${sumsPrefix}${n}`;
  }

  nameOf(key: string): string {
    return key.slice(this.dir.length);
  }
  /** 0: no claim. */
  claimOf(key: string): number {
    return claimNumber(this.nameOf(key));
  }
  /** A name that an image's objects have; others may lie beside them. */
  isOfImage(key: string): boolean {
    const name = this.nameOf(key);
    const known = [metaName, sumsName, deletedName];
    return isDataName(name) || known.includes(name) || claimNumber(name) > 0 || this.isPendingOnly(key);
  }
  /** Without its meta, of the objects `found`: it is being made, or being removed, and is no image either way. */
  isUnfinished(found: readonly string[]): boolean {
    return found.some((key) => key === this.deleted || this.claimOf(key) > 0);
  }
  /** It belongs to a pending image, whichever upload. */
  isPendingOnly(key: string): boolean {
    const name = this.nameOf(key);
    return name === uploadName || name.startsWith(tailPrefix) || name.startsWith(sumsPrefix);
  }
}

/** Of what only a bucket has; that of a file store is told apart in layout.ts. */
export function isSweepPath(path: string): boolean {
  const name = path.slice(path.indexOf('/') + 1);
  return path.includes('/') && (name === '' || name === remainsName || name.startsWith(uploadPathPrefix));
}
