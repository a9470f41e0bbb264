/** Asks one endpoint what it really does, with some thirty small requests below a key of its own, and cleans up. */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { Check, EndpointPassport } from '../../engine/core/passport.ts';
import { addon } from '../../native/addon/index.ts';
import type { EndpointClient } from './endpoint-client.ts';
import { type FailureClassName, failureClasses, isBug, verdictOf } from './failures.ts';
import { crcText } from './seal.ts';

export interface ProbeTarget {
  /** 'https://host:port' */
  readonly origin: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly tls: EndpointPassport['tls'];
}

/** Below it everything is a probe's, and may go. */
export const probeDirectory = '.vast-ost-probe/';
const metadataBytes = 1900;
const partNumberMax = 10_000;

const bytes = Buffer.from('vast-ost asks what this endpoint checks\n');
const other = Buffer.from('vast-ost asks what this endpoint checkz\n');
const crcOf = (of: Uint8Array): bigint => addon.crcBytes(0n, of, of.length);
const md5Of = (of: Uint8Array): string => createHash('md5').update(of).digest('base64');
const sha256Of = (of: Uint8Array): string => createHash('sha256').update(of).digest('hex');

/** What is wrong with `other` sent as `bytes`: every check of the bytes fails. */
const crc = {
  right: { ChecksumCRC64NVME: crcText(crcOf(bytes)) },
  wrong: { ChecksumCRC64NVME: crcText(crcOf(other)) },
};
const md5 = { right: { ContentMD5: md5Of(bytes) }, wrong: { ContentMD5: md5Of(other) } };

const triesMax = 4;
const waitMs = 50;

/** It says nothing of the request: the same one may fare otherwise. A checksum that was refused does. */
function passes(name: FailureClassName): boolean {
  return failureClasses[name].kind === 'again' && name !== 'changedOnTheWay' && name !== 'conflict';
}

/** Throws what a request failed with that says nothing of the endpoint's abilities: no network, no rights. */
export async function probeEndpoint(client: EndpointClient, target: ProbeTarget): Promise<EndpointPassport> {
  return new Probe(client, target).run();
}

class Probe {
  readonly #client: EndpointClient;
  readonly #target: ProbeTarget;
  readonly #base: string;
  readonly #keys = new Set<string>();
  readonly #uploads: { key: string; id: string }[] = [];

  constructor(client: EndpointClient, target: ProbeTarget) {
    this.#client = client;
    this.#target = target;
    this.#base = `${target.prefix}${probeDirectory}${randomBytes(8).toString('hex')}/`;
  }

  async run(): Promise<EndpointPassport> {
    try {
      return await this.#ask();
    } finally {
      await this.#clean();
    }
  }

  async #ask(): Promise<EndpointPassport> {
    // One that cannot be put at all says why, before anything is concluded from a refusal.
    await this.#put('first', { payloadSha256: sha256Of(bytes) });
    const upload = (await this.#upload('plain', {})) ?? '';
    const withCrc = await this.#upload('crc', { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'FULL_OBJECT' });
    return {
      endpoint: this.#target.origin,
      tls: this.#target.tls,
      crc64nvmePut: await this.#check((way) => this.#put('crc', { input: crc[way] })),
      crc64nvmePart: withCrc === null ? 'refused' : await this.#check((way) => this.#part('crc', withCrc, 1, crc[way])),
      crc64nvmeObject:
        withCrc === null ? 'refused' : await this.#check((way) => this.#complete('crc', withCrc, crc[way])),
      contentMd5Put: await this.#check((way) => this.#put('md5', { input: md5[way] })),
      contentMd5Part: await this.#check((way) => this.#part('plain', upload, 1, md5[way])),
      signedPayload: await this.#check((way) =>
        this.#put('signed', { payloadSha256: sha256Of(way === 'right' ? bytes : other) }),
      ),
      unsignedPayload: (await this.#works(() => this.#put('unsigned', { input: md5.right }))) ? 'works' : 'refused',
      ifNoneMatch: await this.#condition({ IfNoneMatch: '*' }, 'first'),
      ifMatch: await this.#condition({ IfMatch: `"${'0'.repeat(32)}"` }, 'first'),
      copyPart: (await this.#works(() => this.#copyPart(upload))) ? 'works' : 'refused',
      rangedGet: (await this.#works(() => this.#range())) ? 'works' : 'refused',
      ...(await this.#partNumbers(upload)),
      metadata2k: (await this.#works(() =>
        this.#put('metadata', {
          input: { Metadata: { probe: 'x'.repeat(metadataBytes) } },
          payloadSha256: sha256Of(bytes),
        }),
      ))
        ? 'works'
        : 'refused',
    };
  }

  /** A refusal is what the endpoint says of the request; anything else ends the probe. */
  async #works(request: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.#asked(request);
      return true;
    } catch (error) {
      if (isBug(error)) throw error;
      const { name, status } = verdictOf(error);
      if (passes(name)) throw error;
      const about = status === 400 || status === 412 || status === 409 || status === 501 || status === 405;
      if (about || (status > 400 && status < 500 && failureClasses[name].errno !== failureClasses.denied.errno))
        return false;
      // A signature over other bytes than came.
      if (name === 'badSignature') return false;
      throw error;
    }
  }

  /** Asked again when it failed for a reason that passes: a wrong one that was throttled was not looked at. */
  async #asked(request: () => Promise<unknown>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await request();
        return;
      } catch (error) {
        if (isBug(error) || tries === triesMax) throw error;
        const { name, stale } = verdictOf(error);
        if (!passes(name)) throw error;
        if (!stale) await sleep(tries * waitMs);
      }
    }
  }

  /** The wrong one first: one that is taken shows that nobody looks. */
  async #check(request: (way: 'right' | 'wrong') => Promise<unknown>): Promise<Check> {
    if (await this.#works(() => request('wrong'))) return 'ignored';
    return (await this.#works(() => request('right'))) ? 'verified' : 'refused';
  }

  async #condition(input: object, key: string): Promise<EndpointPassport['ifMatch']> {
    try {
      await this.#asked(() => this.#put(key, { input, payloadSha256: sha256Of(bytes) }));
      return 'ignored';
    } catch (error) {
      if (isBug(error)) throw error;
      const { name } = verdictOf(error);
      if (name === 'exists' || name === 'conflict') return 'honoured';
      if (name === 'notImplemented' || name === 'other') return 'refused';
      throw error;
    }
  }

  async #put(name: string, { input = {}, payloadSha256 }: { input?: object; payloadSha256?: string }): Promise<void> {
    const key = this.#key(name);
    await this.#client.send(new PutObjectCommand({ Bucket: this.#target.bucket, Key: key, ...input }), {
      body: [bytes],
      payloadSha256,
    });
  }

  /** Halving: some thirteen small parts, of an endpoint that takes fewer than S3 does. */
  async #partNumbers(upload: string): Promise<Pick<EndpointPassport, 'part10000' | 'partsMax'>> {
    const takes = (number: number): Promise<boolean> =>
      this.#works(() => this.#part('plain', upload, number, {}, sha256Of(bytes)));
    if (await takes(partNumberMax)) return { part10000: 'works' };
    let [taken, refused] = [1, partNumberMax];
    while (refused - taken > 1) {
      const middle = Math.floor((taken + refused) / 2);
      if (await takes(middle)) taken = middle;
      else refused = middle;
    }
    return { part10000: 'refused', partsMax: taken };
  }

  /** Null: the endpoint refuses to begin one. */
  async #upload(name: string, input: object): Promise<string | null> {
    const key = this.#key(name);
    let id: string | undefined;
    const begun = await this.#works(async () => {
      const command = new CreateMultipartUploadCommand({ Bucket: this.#target.bucket, Key: key, ...input });
      ({ UploadId: id } = await this.#client.send(command));
    });
    if (!begun || id === undefined) return null;
    this.#uploads.push({ key, id });
    return id;
  }

  async #part(
    name: string,
    UploadId: string,
    PartNumber: number,
    input: object,
    payloadSha256?: string,
  ): Promise<string> {
    const { ETag = '' } = await this.#client.send(
      new UploadPartCommand({ Bucket: this.#target.bucket, Key: this.#key(name), UploadId, PartNumber, ...input }),
      { body: [bytes], payloadSha256 },
    );
    return ETag;
  }

  async #complete(name: string, UploadId: string, input: object): Promise<void> {
    const ETag = await this.#part(name, UploadId, 1, crc.right);
    await this.#client.send(
      new CompleteMultipartUploadCommand({
        Bucket: this.#target.bucket,
        Key: this.#key(name),
        UploadId,
        ChecksumType: 'FULL_OBJECT',
        ...input,
        MultipartUpload: { Parts: [{ PartNumber: 1, ETag, ...crc.right }] },
      }),
    );
  }

  async #copyPart(UploadId: string): Promise<void> {
    const { bucket } = this.#target;
    await this.#client.send(
      new UploadPartCopyCommand({
        Bucket: bucket,
        Key: this.#key('plain'),
        UploadId,
        PartNumber: 2,
        CopySource: `${bucket}/${this.#key('first').split('/').map(encodeURIComponent).join('/')}`,
      }),
    );
  }

  async #range(): Promise<void> {
    const command = new GetObjectCommand({ Bucket: this.#target.bucket, Key: this.#key('first'), Range: 'bytes=1-4' });
    const { ContentLength } = await this.#client.send(command);
    if (ContentLength !== 4)
      throw Object.assign(new Error('the whole object came'), { $metadata: { httpStatusCode: 501 } });
  }

  #key(name: string): string {
    const key = this.#base + name;
    this.#keys.add(key);
    return key;
  }

  /** What cannot be removed costs a few bytes; `vast-ost gc` finds it. */
  async #clean(): Promise<void> {
    const { bucket } = this.#target;
    for (const { key, id } of this.#uploads) {
      await this.#client
        .send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id }))
        .catch(() => undefined);
    }
    for (const key of this.#keys) {
      await this.#client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).catch(() => undefined);
    }
  }
}
