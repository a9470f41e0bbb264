/** `vast-ost probe`: asks the endpoints of a storage server what they really do, and shows or compares their passport. */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadConfig } from '../engine/config.ts';
import type { S3ServerConfig } from '../engine/config-servers.ts';
import {
  abilitiesOf,
  type EndpointPassport,
  endpointPassport,
  type Passport,
  passport,
  passportDiff,
  warningsOf,
} from '../engine/core/passport.ts';
import { s3SettingsOf } from '../engine/s3-settings-of.ts';
import { Bucket } from '../workers/s3/bucket.ts';
import { StoreError } from '../workers/store.ts';
import { CliError, type CliIo, exitCode } from './io.ts';

export interface ProbeOptions {
  readonly config?: string;
  readonly json?: boolean;
  /** Write the passport there. */
  readonly out?: string;
  /** Compare with the passport there. */
  readonly diff?: string;
}

const words: Readonly<Record<string, string>> = {
  crc64nvme: 'CRC-64/NVME of every part',
  sha256: 'SHA-256 of every part, in its signature',
  md5: 'Content-MD5 of every part',
};

export async function probeServer(name: string, options: ProbeOptions, io: CliIo): Promise<number> {
  const before = options.diff === undefined ? null : readPassport(options.diff);
  const found = await probe(serverOf(name, options));
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(found, null, 2)}\n`);
  if (before !== null) return tellDifference(before, found, options, io);
  await io.out(options.json ? `${JSON.stringify(found, null, 2)}\n` : table(found));
  for (const warning of warningsOf(found)) io.fail(`note: ${warning}`);
  return exitCode.ok;
}

/** The storage server of that name, which must be one in a bucket. Throws CliError. */
export function serverOf(name: string, options: { readonly config?: string }): S3ServerConfig {
  const config = loadConfig(options.config ?? null, process.env);
  const plain = name.replace(/^VastData:/, '');
  const server = config.servers.find((one) => one.name === plain);
  if (server?.store === 's3') return server;
  if (server !== undefined) {
    const root = server.mountPoints[0] as string;
    const remedy = `a storage root is prepared with vast-ost init-store ${root}, and its engine cleans it up`;
    throw new CliError(`[server:${plain}] in ${config.source} is mounted and no bucket; ${remedy}`);
  }
  const known = config.servers.filter(({ store }) => store === 's3').map((one) => one.name);
  const hint = known.length === 0 ? 'none has store = s3' : `those with store = s3: ${known.join(', ')}`;
  throw new CliError(`${config.source} has no [server:${plain}] with store = s3; ${hint}`);
}

/** Throws CliError. */
export async function probe(server: S3ServerConfig): Promise<Passport> {
  const bucket = new Bucket(s3SettingsOf(server));
  try {
    return await bucket.probe();
  } catch (error) {
    if (error instanceof StoreError) throw new CliError(error.failure.text ?? error.message);
    throw error;
  } finally {
    await bucket.close();
  }
}

function readPassport(path: string): Passport {
  try {
    return passport.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new CliError(`${path} is no passport: ${(error as Error).message.split('\n')[0]}`);
  }
}

async function tellDifference(before: Passport, after: Passport, { json }: ProbeOptions, io: CliIo): Promise<number> {
  const differences = passportDiff(before, after);
  if (json) await io.out(`${JSON.stringify(differences, null, 2)}\n`);
  else if (differences.length === 0) await io.out(`as on ${before.probedAt}\n`);
  else await io.out(differences.map((one) => `${one.what}: ${one.before} -> ${one.after}\n`).join(''));
  return differences.length === 0 ? exitCode.ok : exitCode.failed;
}

/** A row for each ability, a column for each endpoint. */
function table(found: Passport): string {
  const { integrity, conditionalPut, partsMax } = abilitiesOf(found);
  const all = Object.keys(endpointPassport.shape) as (keyof EndpointPassport)[];
  const rows = all.filter((row) => found.endpoints.some((one) => one[row] !== undefined));
  const width = Math.max(...rows.map((row) => row.length));
  const textOf = (one: EndpointPassport, row: keyof EndpointPassport): string => String(one[row] ?? '-');
  const widths = found.endpoints.map((one) => Math.max(...rows.map((row) => textOf(one, row).length)));
  const lines = rows.map((row) => {
    const cells = found.endpoints.map((one, i) => textOf(one, row).padEnd(widths[i] ?? 0));
    return `${row.padEnd(width)}  ${cells.join('  ')}`.trimEnd();
  });
  const end = [
    '',
    `bytes are protected by ${words[integrity]}`,
    `two engines at once: ${conditionalPut ? 'kept apart by conditional puts' : 'not kept apart: one engine only'}`,
    `parts of one object: at most ${partsMax}`,
  ];
  return `${[`bucket ${found.bucket}, prefix '${found.prefix}', ${found.probedAt}`, ...lines, ...end].join('\n')}\n`;
}
