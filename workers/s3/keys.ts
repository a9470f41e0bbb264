/** Keys of what a store keeps in its bucket: the layout of the file store, and what a pending image needs besides. */
import { checkClaimNumber, checkName, claimName, claimNumber, dataName, metaName, sumsName } from '../layout.ts';

/** Objects of an image that is being uploaded; none of them is left once it is complete. */
const uploadName = '.upload';
const tailPrefix = '.tail-';
const sumsPrefix = '.sums-';

export class ImageKeys {
  /** Ends with a slash. */
  readonly dir: string;

  constructor(prefix: string, lsu: string, image: string) {
    this.dir = `${prefix}${checkName(lsu)}/${checkName(image)}/`;
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
  /** It belongs to a pending image, whichever upload. */
  isPendingOnly(key: string): boolean {
    const name = this.nameOf(key);
    return name === uploadName || name.startsWith(tailPrefix) || name.startsWith(sumsPrefix);
  }
}
