import { byteName, displayName, lsuDirName } from '../engine/image/names.ts';
import { CliError, type CliIo, exitCode, humanBytes, parseAge, table } from './io.ts';
import { type ImageView, listImages, listLsus, loadCrc, openStore, type StoreChoice } from './storage-view.ts';

export interface LsOptions extends StoreChoice {
  readonly lsu?: string;
  /** Pending and damaged images only. */
  readonly pending?: boolean;
  /** "7d": last changed longer ago. */
  readonly olderThan?: string;
  readonly json?: boolean;
}

/** Lists images: a table, or one JSON object a line. */
export async function listStore(options: LsOptions, io: CliIo): Promise<number> {
  const age = options.olderThan === undefined ? null : parseAge(options.olderThan);
  if (options.olderThan !== undefined && age === null) {
    throw new CliError(
      `--older-than ${options.olderThan}: write a number and s, m, h, d or w, such as 7d`,
      exitCode.usage,
    );
  }
  const crc = await loadCrc();
  const { root } = openStore(options, io);
  const wanted = options.lsu === undefined ? null : lsuDirName(byteName(options.lsu));
  const before = age === null ? Infinity : io.now().getTime() - age * 1000;
  const rows: string[][] = [];
  let lsus = 0;
  for (const lsu of listLsus(root)) {
    if (wanted !== null && lsu.dir !== wanted && lsu.dir !== options.lsu) continue;
    lsus++;
    for (const view of listImages(root, lsu, crc)) {
      if (options.pending && view.state === 'complete') continue;
      if (view.modifiedAt.getTime() > before) continue;
      if (options.json) await io.out(`${JSON.stringify(imageLine(view))}\n`);
      else rows.push(imageRow(view));
    }
  }
  if (wanted !== null && lsus === 0) throw new CliError(`there is no LSU ${options.lsu} in ${root}`);
  if (!options.json && rows.length > 0) {
    await io.out(table([['LSU', 'IMAGE', 'DATE', 'STATE', 'SIZE', 'CHANGED'], ...rows], [2, 4]));
  }
  return exitCode.ok;
}

function imageRow(view: ImageView): string[] {
  return [
    lsuName(view),
    view.basename === null ? view.dir : displayName(view.basename),
    view.date === null ? '?' : String(view.date),
    view.claimed && view.state !== 'complete' ? `${view.state}, claimed` : view.state,
    view.meta ? humanBytes(view.meta.size) : '?',
    view.modifiedAt.toISOString().slice(0, 19).replace('T', ' '),
  ];
}

/** Also what `show --json` begins with. */
export function imageLine(view: ImageView): Record<string, unknown> {
  return {
    lsu: lsuName(view),
    image: view.basename === null ? null : displayName(view.basename),
    date: view.date,
    state: view.state,
    size: view.meta?.size ?? null,
    checksum: view.meta?.sha256 ? `sha256:${view.meta.sha256}` : null,
    claimed: view.claimed,
    changed: view.modifiedAt.toISOString(),
    path: view.path,
    damage: view.damage,
  };
}

function lsuName({ lsu }: ImageView): string {
  return lsu.lsu === null ? lsu.dir : displayName(lsu.lsu);
}
