/** Keys, texts and properties of images, as the calls and their answers need them. */
import { addon } from '../../native/addon/index.ts';
import { Failed, status } from '../core/errors.ts';
import { encodeBody, type ImageDef, imageState, wire } from '../core/wire.ts';
import { type ImageCall, type ImageState, moves } from '../image/lifecycle.ts';
import { decodeMeta, type ImageMeta } from '../image/meta.ts';
import { displayName, imageDirName, lsuDirName } from '../image/names.ts';

export interface ImageKey {
  /** Byte strings. */
  readonly lsu: string;
  readonly basename: string;
  readonly date: number;
  /** Directory names on storage. */
  readonly lsuDir: string;
  readonly imageDir: string;
  /** Begins every text about this image. */
  readonly what: string;
  /** Unique among keys. */
  readonly id: string;
}

export interface ImageInfo {
  size: number;
  durableSize: number;
  physicalBytes: number;
  /** Bits of imageState. */
  state: number;
  meta: ImageMeta | null;
  def: Partial<ImageDef>;
}

export function lsuWhat(lsu: string): string {
  return `LSU ${displayName(lsu)}`;
}

export function checkLsuName(lsu: string): string {
  if (lsu === '') throw new Failed(status.EINVAL, 'an LSU name is empty');
  return lsuDirName(lsu);
}

export function imageKey(lsu: string, def: ImageDef): ImageKey {
  const lsuDir = checkLsuName(lsu);
  if (def.basename === '') throw new Failed(status.EINVAL, `LSU ${displayName(lsu)}: an image name is empty`);
  if (def.opaque_length > wire.opaqueMax)
    throw new Failed(status.EINVAL, 'opaque bytes of an image definition are too long');
  const imageDir = imageDirName(def.basename, def.date);
  const what = `image ${displayName(def.basename)} (${def.date}) in LSU ${displayName(lsu)}`;
  return { lsu, basename: def.basename, date: def.date, lsuDir, imageDir, what, id: `${lsuDir}/${imageDir}` };
}

export function crcOf(bytes: Uint8Array): bigint {
  return addon.crcBytes(0n, bytes, bytes.length);
}

/** The meta, or Failed that names image and field. A meta of another key under this name counts as damage. */
export function readMeta(key: ImageKey, text: string | null): ImageMeta {
  if (text === null)
    throw new Failed(status.EDAMAGED, `${key.what}: image.meta is missing; the image can only be deleted`);
  const decoded = decodeMeta(text, crcOf);
  if (!decoded.ok) {
    throw new Failed(status.EDAMAGED, `${key.what}: image.meta is damaged: ${decoded.field}: ${decoded.text}`);
  }
  const { meta } = decoded;
  if (meta.lsu !== key.lsu || meta.basename !== key.basename || meta.date !== key.date) {
    throw new Failed(
      status.EDAMAGED,
      `${key.what}: image.meta belongs to another image: ${displayName(meta.basename)}`,
    );
  }
  return meta;
}

export function defOf(meta: ImageMeta): Partial<ImageDef> {
  return {
    basename: meta.basename,
    date: meta.date,
    policy: meta.policy ?? '',
    schedule: meta.schedule ?? '',
    client: meta.client ?? '',
    opaque_length: meta.definitionOpaque.length,
    opaque: meta.definitionOpaque,
  };
}

/** The state of an image that nobody in this engine writes. */
export function stateOf(key: ImageKey, text: string | null): ImageState {
  try {
    return readMeta(key, text).state;
  } catch (error) {
    if (error instanceof Failed) return 'damaged';
    throw error;
  }
}

/** Throws Failed where the table of moves refuses the call. */
export function demandMove(key: ImageKey, state: ImageState, call: ImageCall): void {
  const move = moves[state][call];
  if ('refused' in move) throw new Failed(status[move.refused], `${key.what} ${move.text}`);
}

export function noSuchImage(key: ImageKey): Failed {
  const move = moves.absent.openRead;
  return new Failed(status.ENOENT, `${key.what}: ${'text' in move ? move.text : 'no such image'}`);
}

export function encodeInfo(info: ImageInfo): Buffer {
  return encodeBody('imageInfo', {
    size: info.size,
    durable_size: info.durableSize,
    physical_bytes: info.physicalBytes,
    state: info.state,
    fragments: info.meta?.fragments.length ?? 0,
    metadata_length: info.meta?.opaque.length ?? 0,
    image_id: info.meta === null ? new Uint8Array(16) : Buffer.from(info.meta.imageId, 'hex'),
    checksum: info.meta?.sha256 ? `sha256:${info.meta.sha256}` : '',
    def: { ...emptyDef, ...info.def } as ImageDef,
  });
}

export const emptyDef: ImageDef = {
  basename: '',
  date: 0,
  policy: '',
  schedule: '',
  client: '',
  opaque_length: 0,
  reserved: 0,
  opaque: new Uint8Array(0),
};

/** State bits of an image that nobody writes. */
export function restingState(meta: ImageMeta | null): number {
  if (meta === null) return imageState.pending | imageState.damaged;
  return meta.state === 'complete' ? imageState.created : imageState.pending;
}

const noToken = '0'.repeat(2 * wire.tokenBytes);

/** A writer token of a frame as text. Throws Failed on the one that stands for none. */
export function writerToken(bytes: Uint8Array): string {
  const token = Buffer.from(bytes).toString('hex');
  if (token === noToken) throw new Failed(status.EINVAL, 'a writer token of zeros');
  return token;
}
