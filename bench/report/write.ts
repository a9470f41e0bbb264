import { compare } from '../result/compare.ts';
import { writeWhole } from '../result/files.ts';
import type { Result } from '../result/schema.ts';
import { page } from './page.ts';

/** Writes the report of a result; with `before`, also how it compares with that one (A). A ResultFileError names the file. */
export function writeReport(result: Result, path: string, before: Result | null = null): void {
  writeWhole(path, page(result, before === null ? null : compare(before, result)));
}
