/**
 * Whether a meta may be stored, told from its fields: an engine that writes thousands of small images a minute does not
 * go through the schema of the text for each, which takes longer than making the text. A test holds the two together:
 * what is good here, the schema takes.
 */
import type { Fragment, ImageMeta } from './image-meta.ts';
import { definitionOpaqueBytesMax, fieldBytesMax, fragmentsMax, opaqueBytesMax } from './meta-schema.ts';
import { dateMax } from './names.ts';
import { isChunkBytes, partialLength, wholeChunks } from './sums.ts';

export interface Wrong {
  readonly field: string;
  readonly text: string;
}

const hex32 = /^[0-9a-f]{32}$/;
const hex64 = /^[0-9a-f]{64}$/;
const fragmentName = /^image\.data(?:\.[0-9]{4,8})?$/;
const version = /^[\x21-\x7e]{1,63}$/;
const shaBlockBytes = 64;

/** The first field that is not what it has to be, whatever the others say. */
export function brokenField(meta: ImageMeta): Wrong | null {
  const { sums, partial, shaState, fragments } = meta;
  const good: [string, boolean][] = [
    ['state', meta.state === 'pending' || meta.state === 'complete'],
    ['key.lsu', isBytes(meta.lsu, 255)],
    ['key.name', isBytes(meta.basename, 1023)],
    ['key.date', isCount(meta.date) && meta.date <= dateMax],
    ['netbackup_metadata.policy', isText(meta.policy)],
    ['netbackup_metadata.schedule', isText(meta.schedule)],
    ['netbackup_metadata.client', isText(meta.client)],
    ['definition_opaque', meta.definitionOpaque.length <= definitionOpaqueBytesMax],
    ['opaque_metadata', meta.opaque.length <= opaqueBytesMax],
    ['image_id', hex32.test(meta.imageId)],
    ['writer_token', hex32.test(meta.writerToken)],
    ['size', isCount(meta.size)],
    ['fragment_list', fragments.length >= 1 && fragments.length <= fragmentsMax && fragments.every(isFragment)],
    ['checksum_mode', meta.checksumMode === 'sha256' || meta.checksumMode === 'none'],
    ['checksum', meta.sha256 === null || hex64.test(meta.sha256)],
    ['sums', sums === null || (isChunkBytes(sums.chunkBytes) && isCrc(sums.crc64))],
    ['partial', partial === null || (isCount(partial.length) && partial.length > 0 && isCrc(partial.crc64))],
    ['sha_state', shaState === null || (isShaOffset(shaState.offset) && hex64.test(shaState.h))],
    ['engine_version', version.test(meta.engineVersion)],
  ];
  const wrong = good.find(([, isGood]) => !isGood);
  return wrong === undefined ? null : { field: wrong[0], text: 'is not what this field may hold' };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isShaOffset(value: number): boolean {
  return isCount(value) && value % shaBlockBytes === 0;
}

function isCrc(value: bigint): boolean {
  return value >= 0n && value <= 0xffff_ffff_ffff_ffffn;
}

function isFragment({ name, size, crc64 }: Fragment): boolean {
  return fragmentName.test(name) && isCount(size) && (crc64 === null || isCrc(crc64));
}

/** A name: a byte string of at least one byte, any but NUL. */
function isBytes(bytes: string, max: number): boolean {
  return bytes.length >= 1 && bytes.length <= max && !wide.test(bytes) && !bytes.includes('\0');
}
const wide = /[\u0100-\uffff]/;

/** The same, and any byte: these are nobody's names. */
function isText(bytes: string | null): boolean {
  return bytes === null || (bytes.length >= 1 && bytes.length <= fieldBytesMax && !wide.test(bytes));
}

/** The fields that say something of each other. */
export type RuledMeta = Pick<
  ImageMeta,
  'state' | 'size' | 'checksumMode' | 'sha256' | 'sums' | 'partial' | 'shaState'
> & {
  readonly fragments: readonly Fragment[];
};

/** What one field says against another; each by itself is good. */
export function brokenRule(meta: RuledMeta): Wrong | null {
  const wrong = (field: string, text: string) => ({ field, text });
  const complete = meta.state === 'complete';
  const stored = meta.fragments.reduce((sum, { size }) => sum + size, 0);
  if (stored !== meta.size) return wrong('size', `is ${meta.size}, the fragments hold ${stored}`);
  if (new Set(meta.fragments.map(({ name }) => name)).size !== meta.fragments.length) {
    return wrong('fragment_list', 'names a fragment twice');
  }
  if (complete && meta.checksumMode === 'sha256' && meta.sha256 === null) return wrong('checksum', 'is missing');
  if (meta.sha256 !== null && (!complete || meta.checksumMode === 'none')) {
    return wrong('checksum', complete ? 'stands in an image without checksum' : 'stands in a pending image');
  }
  if (meta.sums === null) {
    if (meta.partial) return wrong('partial', 'stands in an image without sums');
    if (meta.fragments.some(({ crc64 }) => crc64 !== null)) {
      return wrong('fragment_list', 'has a crc64 in an image without sums');
    }
  } else {
    const length = partialLength(meta.size, meta.sums.chunkBytes);
    if ((meta.partial?.length ?? 0) !== length) {
      return wrong('partial', `is ${meta.partial?.length ?? 0} bytes, size leaves ${length} for it`);
    }
    if (complete && meta.fragments.some(({ crc64 }) => crc64 === null)) {
      return wrong('fragment_list', 'lacks a crc64 in a complete image with sums');
    }
    if (wholeChunks(meta.size, meta.sums.chunkBytes) === 0 && meta.sums.crc64 !== 0n) {
      return wrong('sums.crc64', 'is not that of an image without whole chunks');
    }
  }
  if (meta.shaState) {
    if (complete || meta.checksumMode === 'none') return wrong('sha_state', 'stands in an image that needs none');
    if (meta.shaState.offset > meta.size) return wrong('sha_state.offset', 'lies above the durable size');
  }
  return null;
}
