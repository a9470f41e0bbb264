/**
 * The store as it lies on storage, read without an engine: plain files, nothing held, nothing changed. What a running
 * engine changes meanwhile shows as it is at that moment; an image that vanishes between two reads is left out.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, loadConfig } from '../engine/config.ts';
import { claimBytesMax } from '../engine/image/claim.ts';
import { decodeLsu, lsuFileBytesMax, lsuFileName } from '../engine/image/lsu.ts';
import { decodeMarker, type Marker, markerBytesMax, markerName } from '../engine/image/marker.ts';
import { decodeMeta, type ImageMeta, metaBytesMax } from '../engine/image/meta.ts';
import { imageDirName, lsuDirName, parseImageDirName, parseLsuDirName } from '../engine/image/names.ts';
import type { Crc64 } from '../engine/image/sums.ts';
import { CliError, type CliIo } from './io.ts';

export interface StoreChoice {
  /** --config */
  readonly config?: string;
  /** --root: another storage root than the configuration's. */
  readonly root?: string;
  /** --server: NAME of [server:NAME], whose storage root it is. */
  readonly server?: string;
}

export interface LsuView {
  readonly dir: string;
  /** Byte string; null: `.lsu` is damaged. */
  readonly lsu: string | null;
}

export interface ImageView {
  /** Absolute path of the image's directory. */
  readonly path: string;
  readonly dir: string;
  readonly lsu: LsuView;
  readonly meta: ImageMeta | null;
  /** Why there is no meta: field and text. */
  readonly damage: string | null;
  /** From the meta, else from the directory's name; byte string, null when neither tells. */
  readonly basename: string | null;
  readonly date: number | null;
  /** complete, pending, or damaged. */
  readonly state: 'complete' | 'pending' | 'damaged';
  /** A claim lies there: a writer has it, or had it when it died. */
  readonly claimed: boolean;
  /** Of image.meta, else of the directory. */
  readonly modifiedAt: Date;
}

/** CRC by the addon; loaded here and not above, so that commands that need none work without it. */
export async function loadCrc(): Promise<Crc64> {
  try {
    const { addon } = await import('../native/addon/index.ts');
    return (bytes) => addon.crcBytes(0n, bytes, bytes.length);
  } catch (error) {
    throw new CliError((error as Error).message);
  }
}

/** The storage root with its marker checked. */
export function openStore(choice: StoreChoice, io: CliIo): { root: string; marker: Marker } {
  const root = choice.root ?? configuredRoot(loadConfig(choice.config ?? null, io.env), choice.server);
  const text = readText(join(root, markerName), markerBytesMax);
  if (text === null) {
    const hint = 'is it mounted? A new store is made with: vast-ost init-store';
    throw new CliError(`${root} is no storage root: ${markerName} is missing; ${hint} ${root}`);
  }
  const decoded = decodeMarker(text);
  if (!decoded.ok) throw new CliError(`${join(root, markerName)}: ${decoded.field}: ${decoded.text}`);
  return { root, marker: decoded.marker };
}

/** Also given as the host program writes it, VastData:NAME. */
function configuredRoot({ general, servers }: Config, chosen: string | undefined): string {
  const name = chosen?.replace(/^VastData:/, '');
  const server = servers.find((one) => one.name === name);
  if (server?.store === 's3') throw new CliError(`VastData:${name} is a bucket: only a mounted root can be looked at`);
  if (server !== undefined) return firstMounted(server.mountPoints);
  if (general.nfsMountPoint !== null) return general.nfsMountPoint;
  const known = servers.map((one) => one.name).join(', ');
  const text = name === undefined ? 'there is no default storage root' : `there is no [server:${name}]`;
  throw new CliError(`${text}: choose one with --server, of ${known}, or give --root`);
}

/** Of several mounts of one export the first that has the marker; the first of all to tell of where none has. */
function firstMounted(paths: readonly string[]): string {
  const [first] = paths;
  return paths.find((path) => existsSync(join(path, markerName))) ?? (first as string);
}

export function* listLsus(root: string): Generator<LsuView> {
  for (const dir of namesOf(root)) {
    if (parseLsuDirName(dir) === null || !isDirectory(join(root, dir))) continue;
    const decoded = decodeLsu(dir, readText(join(root, dir, lsuFileName), lsuFileBytesMax));
    yield { dir, lsu: decoded.ok ? decoded.info.lsu : null };
  }
}

export function* listImages(root: string, lsu: LsuView, crc: Crc64): Generator<ImageView> {
  for (const dir of namesOf(join(root, lsu.dir))) {
    if (parseImageDirName(dir) === null || !isDirectory(join(root, lsu.dir, dir))) continue;
    const view = readImage(root, lsu, dir, crc);
    if (view) yield view;
  }
}

/** Finds one image by byte strings; `date` null: the only one of that basename. */
export function findImage(root: string, lsuName: string, basename: string, date: number | null, crc: Crc64): ImageView {
  const lsu: LsuView = { dir: lsuDirName(lsuName), lsu: lsuName };
  if (!isDirectory(join(root, lsu.dir))) throw new CliError(`there is no LSU ${lsu.dir} in ${root}`);
  if (date !== null) {
    const view = readImage(root, lsu, imageDirName(basename, date), crc);
    if (view) return view;
    throw new CliError(`there is no image ${imageDirName(basename, date)} in LSU ${lsu.dir}`);
  }
  const found = [...listImages(root, lsu, crc)].filter((view) => view.basename === basename);
  if (found.length > 1) {
    const dates = found.map((view) => view.date).join(', ');
    throw new CliError(`several images have that name, of dates ${dates}: add --date`);
  }
  const [view] = found;
  if (!view) throw new CliError(`there is no image of that name in LSU ${lsu.dir}`);
  return view;
}

function readImage(root: string, lsu: LsuView, dir: string, crc: Crc64): ImageView | null {
  const path = join(root, lsu.dir, dir);
  let entries: string[];
  try {
    entries = readdirSync(path, 'latin1');
  } catch (error) {
    if (isGone(error)) return null;
    throw new CliError(`${path}: ${(error as Error).message}`);
  }
  const metaPath = join(path, 'image.meta');
  const text = entries.includes('image.meta') ? readText(metaPath, metaBytesMax + 1) : null;
  const decoded = text === null ? null : decodeMeta(text, crc);
  const named = parseImageDirName(dir);
  const known = named === 'hashed' ? null : named;
  let damage = decoded === null ? 'image.meta is missing' : decoded.ok ? null : `${decoded.field}: ${decoded.text}`;
  let meta = decoded?.ok ? decoded.meta : null;
  if (meta && (imageDirName(meta.basename, meta.date) !== dir || lsuDirName(meta.lsu) !== lsu.dir)) {
    damage = 'key: image.meta belongs to another image';
    meta = null;
  }
  const stat = statSync(text === null ? path : metaPath, { throwIfNoEntry: false });
  if (!stat) return null;
  return {
    path,
    dir,
    lsu,
    meta,
    damage,
    basename: meta?.basename ?? known?.basename ?? null,
    date: meta?.date ?? known?.date ?? null,
    state: meta?.state ?? 'damaged',
    claimed: entries.some((entry) => /^claim\.[0-9]+$/.test(entry)),
    modifiedAt: stat.mtime,
  };
}

/** Texts of the claims, for `show`. */
export function readClaims(view: ImageView): { name: string; text: string | null }[] {
  return namesOf(view.path)
    .filter((name) => /^claim\.[0-9]+$/.test(name))
    .map((name) => ({ name, text: readText(join(view.path, name), claimBytesMax) }));
}

/** Null when it is not there. Longer than the limit: cut there, which its decoder refuses. */
function readText(path: string, bytesMax: number): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (isGone(error)) return null;
    throw new CliError((error as Error).message);
  }
  try {
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (;;) {
      const got = readSync(file, bytes, length, bytes.length - length, length);
      length += got;
      if (got === 0 || length === bytes.length) return bytes.toString('latin1', 0, length);
    }
  } catch (error) {
    throw new CliError(`${path}: ${(error as Error).message}`);
  } finally {
    closeSync(file);
  }
}

/** Sorted; names are bytes; those that begin with a dot are ours or the storage's. */
function namesOf(path: string): string[] {
  try {
    return readdirSync(path, 'latin1')
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    if (isGone(error)) return [];
    throw new CliError((error as Error).message);
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ESTALE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** A file of the image as a whole, for `show`. */
export function readMetaText(view: ImageView): string {
  return readFileSync(join(view.path, 'image.meta'), 'latin1');
}
