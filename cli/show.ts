import { displayName } from '../engine/image/names.ts';
import { findByArgument } from './image-argument.ts';
import { type CliIo, exitCode, humanBytes, table } from './io.ts';
import { imageLine } from './ls.ts';
import { loadCrc, openStore, readClaims, readMetaText, type StoreChoice } from './storage-view.ts';

export interface ShowOptions extends StoreChoice {
  readonly date?: string;
  readonly json?: boolean;
}

/** What is known of one image; exit code 1 when its meta is damaged. */
export async function showImage(lsu: string, image: string, options: ShowOptions, io: CliIo): Promise<number> {
  const crc = await loadCrc();
  const { root } = openStore(options, io);
  const view = findByArgument(root, lsu, image, options.date, crc);
  const { meta } = view;
  const claims = readClaims(view);
  if (options.json) {
    const parsed: unknown = meta ? JSON.parse(readMetaText(view)) : null;
    await io.out(`${JSON.stringify({ ...imageLine(view), claims, meta: parsed }, null, 2)}\n`);
  } else {
    const rows = [
      ['image', view.basename === null ? view.dir : displayName(view.basename)],
      ['date', view.date === null ? '?' : String(view.date)],
      ['LSU', view.lsu.lsu === null ? view.lsu.dir : displayName(view.lsu.lsu)],
      ['state', view.damage === null ? view.state : `damaged: ${view.damage}`],
      ['path', view.path],
      ['changed', view.modifiedAt.toISOString()],
    ];
    if (meta) {
      const field = (bytes: string | null) => (bytes === null ? 'unknown' : displayName(bytes));
      rows.push(
        [meta.state === 'complete' ? 'size' : 'durable size', `${meta.size} (${humanBytes(meta.size)})`],
        ['checksum', meta.sha256 ? `sha256:${meta.sha256}` : meta.checksumMode === 'none' ? 'none' : 'not yet'],
        ['sums', meta.sums ? `CRC-64/NVME of every ${meta.sums.chunkBytes / 1024} KiB` : 'none'],
        ['policy', field(meta.policy)],
        ['schedule', field(meta.schedule)],
        ['client', field(meta.client)],
        ['opaque metadata', `${meta.opaque.length} B`],
        ['image id', meta.imageId],
        ['written by', `vast-ost ${meta.engineVersion}`],
        ...meta.fragments.map(({ name, size }) => ['fragment', `${name}, ${size} B`]),
      );
    }
    rows.push(...claims.map(({ name, text }) => [name, text?.trim() ?? 'gone meanwhile']));
    await io.out(table(rows));
  }
  return view.damage === null ? exitCode.ok : exitCode.failed;
}
