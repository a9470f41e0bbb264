/** The commands to go on with by hand, for each store. */
import { join } from 'node:path';
import { type DemoBucket, section, testServerDirectory, testServerOptions } from './bucket.ts';
import type { Places } from './places.ts';
import type { WorkFiles } from './work-directory.ts';

export interface Went {
  files: WorkFiles;
  /** Of the storage root on files. */
  server: string;
  lsu: string;
  bucketLsu: string;
  date: number;
  /** Null: the demo had none. */
  bucket: DemoBucket | null;
}

function commands(typed: Places['typed'], server: string, lsu: string, date: number): string[] {
  const where = `--server ${server} --lsu ${lsu}`;
  const image = `${where} --image my-file --date ${date}`;
  return [
    `${typed.host} backup --create-lsu ${image} YOUR-FILE`,
    `${typed.host} list ${where} --details`,
    `${typed.host} restore ${image} --output restored-file`,
  ];
}

/** Commands are indented, and nothing else is. */
export function farewell({ typed }: Places, { files, server, lsu, bucketLsu, date, bucket }: Went): string[] {
  const block = (lines: string[]): string[] => ['', ...lines.map((line) => `  ${line}`), ''];
  const setConfig = `export VAST_OST_CONF=${files.config}`;
  const lines = [
    `The images on files stay in ${join(files.root, lsu)}.`,
    ...(bucket === null ? [] : whatStays(bucket)),
    '',
    'Now a file of your own.',
  ];
  if (bucket !== null && bucket.testPort !== null) {
    lines.push(
      'For the bucket start the test endpoint, and leave it running until you press Ctrl-D; then prepare it:',
      ...block([
        `TMPDIR=${testServerDirectory(files.dir)} ${typed.testEndpoint} '${testServerOptions(bucket.testPort)}'`,
        `${typed.cli} init-store --server ${section} --config ${files.config}`,
      ]),
    );
  }
  lines.push(
    'Start the engine, and leave it running:',
    ...block([`${typed.engine} --config ${files.config}`]),
    'In another shell, back up a file, look at it, restore it:',
    ...block([setConfig, ...commands(typed, server, lsu, date), `${typed.cli} status`]),
  );
  if (bucket === null) {
    lines.push(
      'The same in a bucket of yours, on an S3 service of yours:',
      ...block([`${typed.demo} --endpoint https://ADDRESS --bucket NAME --credentials FILE [--ca FILE]`]),
    );
    return lines;
  }
  lines.push(
    'The same in the bucket:',
    ...block([
      ...commands(typed, `VastData:${section}`, bucketLsu, date),
      `${typed.cli} probe ${section}`,
      `${typed.cli} gc ${section} --dry-run`,
    ]),
  );
  return lines;
}

function whatStays({ testPort, bucket, prefix }: DemoBucket): string[] {
  if (testPort !== null) return ['What was in the bucket went with its endpoint.'];
  return [
    `Those in the bucket stay below ${bucket}/${prefix}; when you are done, remove that prefix with any S3 client.`,
  ];
}
