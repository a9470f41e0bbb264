/** What an image is, in memory. Names are byte strings (see names.ts). */
export interface Fragment {
  /** image.data, image.data.0002 … */
  readonly name: string;
  readonly size: number;
  /** CRC-64/NVME of the fragment; null while pending or without sums. */
  readonly crc64: bigint | null;
}

export interface ImageMeta {
  readonly state: 'pending' | 'complete';
  /** Byte strings. */
  readonly lsu: string;
  readonly basename: string;
  /** Seconds since 1970. */
  readonly date: number;
  /** Byte strings; null = unknown. */
  readonly policy: string | null;
  readonly schedule: string | null;
  readonly client: string | null;
  /** The image definition's opaque bytes, ≤ 1 KiB. */
  readonly definitionOpaque: Uint8Array;
  /** Opaque metadata: what write_image_meta stored, ≤ 64 KiB. */
  readonly opaque: Uint8Array;
  /** 32 hex digits; made at create, for life. */
  readonly imageId: string;
  /** 32 hex digits. Of a complete image: the writer that completed it; its resubmitted close is a success. */
  readonly writerToken: string;
  /** Bytes. Complete: the image's size; pending: bytes that survive power loss. Sum of the fragments' sizes. */
  readonly size: number;
  readonly fragments: readonly Fragment[];
  /** The mode the image was created with, for life. */
  readonly checksumMode: 'sha256' | 'none';
  /** 64 hex digits; null while pending and without a checksum. */
  readonly sha256: string | null;
  /** null: created with sums = false. `crc64`: over the entries of all whole chunks as they stand in image.sums. */
  readonly sums: { readonly chunkBytes: number; readonly crc64: bigint } | null;
  /** The last chunk where size ends inside one; null elsewhere and without sums. */
  readonly partial: { readonly length: number; readonly crc64: bigint } | null;
  /** Pending: where SHA-256 goes on. `offset` is a multiple of 64, ≤ size; `h`: 64 hex digits. null: from 0. */
  readonly shaState: { readonly offset: number; readonly h: string } | null;
  readonly engineVersion: string;
}
