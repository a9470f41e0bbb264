/** Objects of a bucket as the store uses them: put when new, replaced when unchanged, read, listed, removed. */
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { errno } from '../../engine/core/errors.ts';
import type { Abilities } from '../../engine/core/passport.ts';
import type { Labels } from '../../engine/core/store.ts';
import { lengthOf, type Piece } from '../http/body.ts';
import { StoreError } from '../store.ts';
import type { Bucket, Tally, Told } from './bucket.ts';
import { failed } from './failures.ts';
import { AbilitiesChanged } from './inspector.ts';
import { seal } from './seal.ts';

export interface ObjectStat {
  size: number;
  etag: string;
}

export interface Listed {
  key: string;
  size: number;
  etag: string;
  /** Seconds since 1970 by the endpoint's clock. */
  modifiedAt: number;
}

export interface ListPage {
  objects: Listed[];
  /** Up to and with the delimiter. */
  prefixes: string[];
  /** Null: the end. */
  next: string | null;
}

const deletesAtOnce = 8;
/** Pages of a list, one after the other, in which nothing is. */
export const emptyPagesMax = 1000;
/** Endpoints that change what they can do more often while one request is made are told as a failure. */
const adaptionsMax = 5;

export class Objects {
  readonly bucket: Bucket;
  /** As the passport says; set when the bucket is opened. */
  abilities: Abilities;

  constructor(bucket: Bucket, abilities: Abilities) {
    this.bucket = bucket;
    this.abilities = abilities;
  }

  /**
   * Carries out what rests on abilities; anew when they turn out to be others. `generation` goes with its requests;
   * `again`: an earlier one may have been carried out, its answer lost.
   */
  async adapted<T>(work: (generation: number, again: boolean) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work(this.bucket.inspector.generation, tries > 1);
      } catch (error) {
        if (!(error instanceof AbilitiesChanged) || tries >= adaptionsMax) throw error;
      }
    }
  }

  /** Replaces what is there. */
  async put(key: string, bytes: readonly Piece[], labels: Labels = {}, tally?: Tally): Promise<ObjectStat> {
    return this.adapted((generation) => this.#put(key, bytes, this.labelled(labels), { generation, tally }));
  }

  /** As the commands want it. An endpoint that refuses metadata gets none: nothing of ours needs it. */
  labelled(labels: Labels): { Metadata?: Labels } {
    return this.abilities.labels ? { Metadata: labels } : {};
  }

  /** Null: there is such an object already, other than this one. */
  async putNew(key: string, bytes: Uint8Array): Promise<ObjectStat | null> {
    return this.adapted(async (generation, again) => {
      if (this.abilities.conditionalPut) return this.#putIf(key, bytes, { IfNoneMatch: '*' }, generation);
      if (again) {
        const there = await this.#ours(key, bytes);
        if (there !== 'none') return there;
      } else if ((await this.head(key)) !== null) return null;
      return this.#put(key, [bytes], {}, { generation });
    });
  }

  /** Replaces the object only if it still is the one of this ETag. Null: it is not. */
  async replace(key: string, bytes: Uint8Array, etag: string): Promise<ObjectStat | null> {
    return this.adapted(async (generation) => {
      if (this.abilities.conditionalPut && etag !== '') return this.#putIf(key, bytes, { IfMatch: etag }, generation);
      const put = await this.#put(key, [bytes], {}, { generation });
      // Nothing kept another writer from doing the same at this moment: at least the last word is known.
      const there = await this.bucket.get(key, bytes.length + 1);
      return there?.bytes.equals(bytes) ? put : null;
    });
  }

  async head(key: string): Promise<ObjectStat | null> {
    try {
      const { ContentLength = 0, ETag = '' } = await this.bucket.send(
        new HeadObjectCommand({ Bucket: this.bucket.name, Key: key }),
      );
      return { size: ContentLength, etag: ETag };
    } catch (error) {
      if (isErrno(error, errno.ENOENT)) return null;
      throw error;
    }
  }

  async text(key: string, max: number): Promise<string | null> {
    const got = await this.bucket.get(key, max);
    return got === null ? null : got.bytes.toString('utf8');
  }

  /** What is not there is no failure. */
  async remove(keys: readonly string[]): Promise<void> {
    const left = [...keys];
    const one = async (): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        await this.bucket
          .send(new DeleteObjectCommand({ Bucket: this.bucket.name, Key: key }))
          .catch((error: unknown) => {
            if (!isErrno(error, errno.ENOENT)) throw error;
          });
      }
    };
    await Promise.all(Array.from({ length: Math.min(deletesAtOnce, left.length) }, one));
  }

  /** One page. `max` ≤ 1000. Throws StoreError for one that is not of this prefix, or leads nowhere. */
  async list(
    prefix: string,
    { delimiter, token, max = 1000 }: { delimiter?: string; token?: string | null; max?: number } = {},
  ): Promise<ListPage> {
    const page: ListObjectsV2CommandOutput = await this.bucket.send(
      new ListObjectsV2Command({
        Bucket: this.bucket.name,
        Prefix: prefix,
        Delimiter: delimiter,
        ContinuationToken: token ?? undefined,
        MaxKeys: max,
      }),
    );
    const objects = (page.Contents ?? []).map(({ Key = '', Size = 0, ETag = '', LastModified }) => ({
      key: Key,
      size: Size,
      etag: ETag,
      modifiedAt: (LastModified?.getTime() ?? 0) / 1000,
    }));
    const prefixes = (page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix);
    const next = page.IsTruncated === true ? (page.NextContinuationToken ?? '') : null;
    // A key from elsewhere would be read, or removed, as one of ours; a list cut short would hide some of them.
    const isOfPrefix = [...objects.map(({ key }) => key), ...prefixes].every((key) => key.startsWith(prefix));
    if (!isOfPrefix) failed('an answer with keys from elsewhere: ListObjectsV2', prefix, errno.EPROTO);
    if (next === '' || (next !== null && next === token))
      failed('an answer that goes on without saying where: ListObjectsV2', prefix, errno.EPROTO);
    return { objects, prefixes, next };
  }

  /** All objects below a prefix, at most `max`; more are a failure. */
  async listAll(prefix: string, max: number): Promise<Listed[]> {
    const all: Listed[] = [];
    let token: string | null = null;
    let empty = 0;
    do {
      const page: ListPage = await this.list(prefix, { token });
      all.push(...page.objects);
      token = page.next;
      empty = page.objects.length === 0 ? empty + 1 : 0;
      if (all.length > max || empty > emptyPagesMax)
        throw new StoreError({ errno: -errno.EOVERFLOW, step: 'ListObjectsV2', path: prefix });
    } while (token !== null);
    return all;
  }

  async #put(key: string, bytes: readonly Piece[], more: object, told: Told): Promise<ObjectStat> {
    const { input, payloadSha256 } = await seal(this.abilities.integrity, bytes);
    const { ETag = '' } = await this.bucket.send(
      new PutObjectCommand({ Bucket: this.bucket.name, Key: key, ...input, ...more }),
      { body: bytes, payloadSha256 },
      told,
    );
    return { size: lengthOf(bytes), etag: ETag };
  }

  async #putIf(key: string, bytes: Uint8Array, condition: object, generation: number): Promise<ObjectStat | null> {
    try {
      return await this.#put(key, [bytes], condition, { generation });
    } catch (error) {
      if (!isErrno(error, errno.EEXIST)) throw error;
      const there = await this.#ours(key, bytes);
      return there === 'none' ? null : there;
    }
  }

  /** An earlier try of ours may have put it, its answer lost: then these very bytes are there. Null: others are. */
  async #ours(key: string, bytes: Uint8Array): Promise<ObjectStat | 'none' | null> {
    const there = await this.bucket.get(key, bytes.length + 1);
    if (there === null) return 'none';
    return there.bytes.equals(bytes) ? { size: bytes.length, etag: there.etag } : null;
  }
}

export function isErrno(error: unknown, number: number): boolean {
  return error instanceof StoreError && error.failure.errno === -number;
}
