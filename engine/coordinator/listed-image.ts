/** What a directory of an LSU shows in a list of images. */
import type { ListedDef } from '../core/image-page.ts';
import { listState } from '../core/wire.ts';
import { listedMeta } from '../image/listed-meta.ts';
import { decodeMeta, type ImageMeta } from '../image/meta.ts';
import { escapeName, imageDirName, parseImageDirName } from '../image/names.ts';
import { crcOf, defOf } from './image-info.ts';

/** The meta of the image in this directory; null: none, damaged, or another image's. */
export function metaOf(lsu: string, dir: string, text: string | null): ImageMeta | null {
  const decoded = text === null ? null : decodeMeta(text, crcOf);
  if (!decoded?.ok) return null;
  const { meta } = decoded;
  return meta.lsu === lsu && imageDirName(meta.basename, meta.date) === dir ? meta : null;
}

/** Null for nothing, or for a state that was not asked for. `states`: bits of listState, 0: all. */
export function listedImage(
  lsu: string,
  states: number,
  dir: string,
  stored: string | Buffer | null,
): ListedDef | null {
  const parsed = parseImageDirName(dir);
  if (parsed === null) return null;
  const shown = (state: 'pending' | 'complete'): boolean => states === 0 || (states & listState[state]) !== 0;
  if (parsed !== 'hashed' && stored !== null) {
    const bytes = typeof stored === 'string' ? Buffer.from(stored) : stored;
    const quick = listedMeta({ lsu: escapeName(lsu), dir, ...parsed }, bytes, crcOf);
    if (quick !== null) {
      if (!shown(quick.state)) return null;
      const { policy, schedule, client, opaque } = quick;
      return { ...parsed, policy, schedule, client, opaque };
    }
  }
  const meta = metaOf(lsu, dir, stored?.toString() ?? null);
  if (!shown(meta?.state ?? 'pending')) return null;
  if (meta !== null) return defOf(meta);
  // Damaged: listed as pending so that it can be deleted. A hashed name without a meta has lost its key.
  return parsed === 'hashed' ? { basename: dir, date: 0 } : parsed;
}
