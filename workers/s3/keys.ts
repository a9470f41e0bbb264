/** Keys of what a store keeps in its bucket: the layout of the file store, and what a pending image needs besides. */
import { fragmentName, fragmentNumber } from '../../engine/core/parts.ts';
import {
  checkClaimNumber,
  checkName,
  claimName,
  claimNumber,
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
/** …and an upload: its record's name, this, and whatever its id holds. */
const uploadPathForm = /^(\.upload(?:\.[0-9]{4})?)=(.+)$/s;

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

  /** The first fragment; begin of all fragments' keys. */
  get data(): string {
    return this.fragment(1);
  }
  fragment(n: number): string {
    return this.dir + fragmentName(n);
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
  /** Which multipart upload, and which of its parts, a fragment of the pending image has. */
  record(n: number): string {
    return this.dir + recordName(n);
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
  /** 0: no fragment that a writer of a bucket makes. */
  fragmentOf(key: string): number {
    return key.startsWith(this.dir) ? fragmentNumber(this.nameOf(key)) : 0;
  }
  /** The fragment whose record it is; 0: no record. */
  recordOf(key: string): number {
    return recordNumber(this.nameOf(key));
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
    return recordNumber(name) > 0 || name.startsWith(tailPrefix) || name.startsWith(sumsPrefix);
  }
}

/** Of what only a bucket has; that of a file store is told apart in layout.ts. */
export function isSweepPath(path: string): boolean {
  const name = path.slice(path.indexOf('/') + 1);
  return path.includes('/') && (name === '' || name === remainsName || uploadOfPath(name) !== null);
}

/** How a sweep names an upload of a fragment, behind its image and a slash. */
export function uploadPath(n: number, uploadId: string): string {
  return `${recordName(n)}=${uploadId}`;
}

export function uploadOfPath(name: string): { n: number; uploadId: string } | null {
  const [, record = '', uploadId = ''] = uploadPathForm.exec(name) ?? [];
  const n = recordNumber(record);
  return n > 0 ? { n, uploadId } : null;
}

function recordName(n: number): string {
  return fragmentName(n).replace(fragmentName(1), uploadName);
}

function recordNumber(name: string): number {
  return name.startsWith(uploadName) ? fragmentNumber(fragmentName(1) + name.slice(uploadName.length)) : 0;
}
