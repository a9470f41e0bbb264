/**
 * The process whose storage log is judged: the file store does every step that acknowledges something, once. Marks go
 * into the shim's log when a step has returned, so they stand behind all that it did.
 *
 *   node store-run.ts ROOT
 */
import { appendFileSync } from 'node:fs';
import { addon } from '../../../native/addon/index.ts';
import { FileStore } from '../../../workers/file/file-store.ts';
import type { OpenFiles } from '../../../workers/store.ts';
import {
  claimOf,
  crcs,
  dataBytes,
  durableBytes,
  lastBytes,
  lsu,
  lsuTexts,
  markerText,
  metaOf,
  sumsHeader,
  token,
} from './store-story.ts';

const root = process.argv[2];
const store = new FileStore();

function mark(text: string): void {
  appendFileSync(process.env.VAST_SHIM_LOG as string, `M\t${encodeURIComponent(text)}\n`);
}

function create(image: string): OpenFiles {
  const header = sumsHeader.toString('base64');
  const files = store.createImage({ lsu, image, token, meta: metaOf(0), claim: claimOf(1), sumsHeader: header });
  mark(`${image} created`);
  return files;
}

function write(files: OpenFiles, from: number, to: number): void {
  const bytes = dataBytes.subarray(from, to);
  if (addon.writeBytes(files.data, bytes, bytes.length, from) !== bytes.length) throw new Error('write failed');
}

store.initRoot({ root, text: markerText });
mark('root');
store.openRoot({ root, requireMount: false, direct: false });
store.makeLsu({ lsu, text: lsuTexts[0] });
mark('lsu');
store.labelLsu({ lsu, text: lsuTexts[1], token });
mark('label');

const a = create('a');
write(a, 0, durableBytes);
const at = sumsHeader.length;
store.flushImage({
  lsu,
  image: 'a',
  files: a,
  token,
  meta: metaOf(durableBytes),
  size: durableBytes,
  sumsAt: at,
  crcs: crcs(1).toString('base64'),
});
mark('a flushed');
// More than the image keeps: complete cuts it.
write(a, durableBytes, dataBytes.length);
store.commitImage({
  lsu,
  image: 'a',
  files: a,
  token,
  meta: metaOf(lastBytes),
  sumsAt: at,
  crcs: crcs(2).toString('base64'),
  size: lastBytes,
  claim: claimOf(1),
  claimN: 1,
});
mark('a complete');
store.closeFiles({ files: [a.data, a.sums, a.dir] });

const b = create('b');
store.closeFiles({ files: [b.data, b.sums, b.dir] });
const over = [{ n: 1, text: claimOf(1) }];
const { won } = store.takeClaim({ lsu, image: 'b', n: 2, claim: claimOf(2), token, over });
if (!won) throw new Error('the claim was not won');
mark('b claimed');
mark('b going');
store.removeImage({ lsu, image: 'b', token });
mark('b gone');
