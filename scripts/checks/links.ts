/** Links between documents, and from them into the sources, must lead somewhere. */
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import type { Findings, Source } from './sources.ts';

/** `there`: is there such a path, counted from the top directory? */
export function brokenLinks(documents: Source[], there: (path: string) => boolean = existsSync): Findings {
  const found: Findings = [];
  for (const { path, text } of documents) {
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue; // elsewhere on the net
      if (!there(posix.join(posix.dirname(path), target))) found.push(`${path}: link to ${target}, which is not there`);
    }
  }
  return found;
}
