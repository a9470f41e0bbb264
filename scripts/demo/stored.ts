/** Looks at images where they lie, with nothing of ours: plain files, and coreutils' sha256sum. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Directory that holds an image's files. Throws when there is none. */
function imageDirectory(lsuDirectory: string, image: string): string {
  const found = readdirSync(lsuDirectory).find((name) => name.startsWith(`${image}~`));
  if (found === undefined) throw new Error(`no image ${image} below ${lsuDirectory}`);
  return join(lsuDirectory, found);
}

/** 'sha256:…' as the image's meta has it; null when it has none. */
export function storedChecksum(lsuDirectory: string, image: string): string | null {
  const text = readFileSync(join(imageDirectory(lsuDirectory, image), 'image.meta'), 'utf8');
  return (JSON.parse(text) as { checksum: string | null }).checksum;
}

/** The image's meta as text, and sha256sum over its data: do the two agree? */
export function checksumByOthers(lsuDirectory: string, image: string): { lines: string[]; agrees: boolean } {
  const dir = imageDirectory(lsuDirectory, image);
  const [meta, data] = [join(dir, 'image.meta'), join(dir, 'image.data')];
  const sum = execFileSync('sha256sum', [data], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] }).trim();
  const agrees = storedChecksum(lsuDirectory, image) === `sha256:${sum.split(' ')[0]}`;
  const verdict = agrees ? 'The checksum in the meta and sha256sum agree.' : 'THE CHECKSUM AND sha256sum DO NOT AGREE.';
  return { lines: [`$ cat ${meta}`, readFileSync(meta, 'utf8').trim(), `$ sha256sum ${data}`, sum, verdict], agrees };
}
