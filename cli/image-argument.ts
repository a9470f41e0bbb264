import { byteName, parseImageKeyName, unescapeName } from '../engine/image/names.ts';
import type { Crc64 } from '../engine/image/sums.ts';
import { CliError, exitCode } from './io.ts';
import { findImage, type ImageView } from './storage-view.ts';

/**
 * LSU and IMAGE as a person gives them: the plain name, the escaped one as `ls` shows hostile names, and with or without
 * "~date" behind it. The first reading that names an image there is taken.
 */
export function findByArgument(
  root: string,
  lsu: string,
  image: string,
  date: string | undefined,
  crc: Crc64,
): ImageView {
  const given = date === undefined ? null : wholeDate(date);
  const lsus = [byteName(lsu), unescapeName(lsu)];
  const readings: [string, number | null][] = [[byteName(image), given]];
  const split = /^(.+)~([0-9]{1,16})$/s.exec(image);
  if (given === null && split) readings.unshift([byteName(split[1] as string), Number(split[2])]);
  const key = parseImageKeyName(image);
  if (key && given === null) readings.push([key.basename, key.date]);
  const unescaped = unescapeName(image);
  if (unescaped !== null) readings.push([unescaped, given]);
  let failure: CliError | undefined;
  for (const one of lsus) {
    if (one === null || one === '') continue;
    for (const [basename, when] of readings) {
      try {
        return findImage(root, one, basename, when, crc);
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        failure ??= error;
      }
    }
  }
  throw failure ?? new CliError('an LSU and an image have at least one character', exitCode.usage);
}

function wholeDate(text: string): number {
  const date = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(date)) {
    throw new CliError(`--date ${text}: write seconds since 1970`, exitCode.usage);
  }
  return date;
}
