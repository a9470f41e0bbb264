/** The sections [server:NAME] of vast-ost.conf: one storage server each, selected by the host program's VastData:NAME. */
import { readEntry, remedyAmong } from './config-entry.ts';
import type { S3Endpoint } from './config-forms.ts';
import {
  engineMountsMax,
  partMbMin,
  type ServerKey,
  type StoreName,
  serverKeys,
  serversMax,
} from './config-server-keys.ts';
import { mountBytesMax, mountText } from './core/mount-text.ts';
import type { IniProblem, IniSection } from './ini.ts';

export interface NfsServerConfig {
  readonly store: 'nfs';
  /** NAME of VastData:NAME; case counts. */
  readonly name: string;
  /** Absolute paths, at least one: all are mounts of one export. */
  readonly mountPoints: readonly string[];
}

export interface S3ServerConfig {
  readonly store: 's3';
  readonly name: string;
  /** At least one; all of one scheme. */
  readonly endpoints: readonly S3Endpoint[];
  readonly bucket: string;
  /** '' or ends with a slash: keys begin with it. */
  readonly prefix: string;
  readonly region: string;
  readonly addressing: 'path' | 'virtual';
  /** Null: the usual chain. */
  readonly credentialsFile: string | null;
  /** Null: the system's. */
  readonly caFile: string | null;
  readonly tlsVerify: boolean;
  readonly partBytes: number;
  readonly partsInFlight: number;
  readonly connectTimeoutS: number;
  readonly idleTimeoutS: number;
  readonly requestRetryS: number;
}

export type ServerConfig = NfsServerConfig | S3ServerConfig;

/** What the checks over several keys need to know beside the servers. */
export interface ServerFacts {
  readonly blockBytes: number;
  readonly maxMemoryBytes: number;
  readonly readAheadBytes: number;
  /** Root of the default server; null: there is none. */
  readonly defaultRoot: string | null;
  readonly slotsMax: number;
}

const mib = 1_048_576;
const sectionForm = /^server:([A-Za-z0-9_.-]+)$/;
/** What WIRE_SERVER_MAX leaves behind "VastData:" and in front of the NUL. */
export const serverNameBytesMax = 246;

/** The section is meant for a storage server, rightly named or not. */
export function isServerSection(name: string): boolean {
  return name.startsWith('server:') || name === 'server';
}

/** Whatever is wrong goes into `problems`; a server with something wrong is left out. */
export function readServers(
  sections: readonly IniSection[],
  facts: ServerFacts,
  problems: IniProblem[],
): readonly ServerConfig[] {
  const read: { server: ServerConfig; section: IniSection }[] = [];
  for (const [index, section] of sections.entries()) {
    if (index === serversMax) {
      const text = `[${section.name}] is one storage server more than the ${serversMax} that an engine has`;
      problems.push({ line: section.line, text, remedy: 'serve the others from another media server' });
      break;
    }
    const server = readServer(section, facts, problems);
    if (server !== null) read.push({ server, section });
  }
  for (const [index, { server, section }] of read.entries()) {
    const earlier = read.slice(0, index).map((one) => one.server);
    const tell = (key: string, text: string, remedy: string) =>
      problems.push({ line: lineOf(section, key), text: `[${section.name}]: ${text}`, remedy });
    if (server.store === 'nfs') {
      tellSharedMounts(server, earlier, facts, tell);
      tellLongMounts(server, tell);
      tellTooManyMounts(server, earlier, facts, tell);
    } else {
      tellSharedBucket(server, earlier, tell);
      tellOddTls(server, tell);
      tellPartTotals(server, facts, tell);
    }
  }
  return read.map(({ server }) => server);
}

type Tell = (key: string, text: string, remedy: string) => void;

function readServer(section: IniSection, facts: ServerFacts, problems: IniProblem[]): ServerConfig | null {
  const before = problems.length;
  const name = sectionForm.exec(section.name)?.[1];
  if (name === undefined || name.length > serverNameBytesMax) {
    const remedy = `write [server:NAME] with a NAME of at most ${serverNameBytesMax} letters, digits, - . and _`;
    problems.push({ line: section.line, text: `[${section.name}] names no storage server`, remedy });
  }
  const values = new Map<string, unknown>();
  for (const { key, byDefault, schema, example } of serverKeys) {
    if (example === undefined) values.set(key, schema.parse(byDefault));
  }
  const storeEntry = section.entries.find(({ key }) => key === 'store');
  const stored = storeEntry === undefined ? null : readEntry(serverKeys[0] as ServerKey, storeEntry);
  // With a wrong store nobody knows which keys are right: then all of them are.
  const store = stored === null ? 'nfs' : stored.ok ? (stored.value as StoreName) : null;
  for (const entry of section.entries) {
    const known = serverKeys.find(({ key }) => key === entry.key);
    if (known === undefined) {
      const names = serverKeys.filter(({ stores }) => store === null || stores.includes(store)).map(({ key }) => key);
      const text = `${entry.key} is no key of [${section.name}]`;
      problems.push({ line: entry.line, text, remedy: remedyAmong(entry.key, names) });
    } else if (store !== null && !known.stores.includes(store)) {
      const text = `${entry.key} is a key of store = ${known.stores[0]}, and [${section.name}] has store = ${store}`;
      problems.push({ line: entry.line, text, remedy: `remove it, or write store = ${known.stores[0]}` });
    } else {
      const value = entry === storeEntry && stored !== null ? stored : readEntry(known, entry);
      if (value.ok) values.set(entry.key, value.value);
      else problems.push(value.problem);
    }
  }
  for (const { key, example, stores } of serverKeys) {
    if (example === undefined || store === null || !stores.includes(store)) continue;
    if (section.entries.some((entry) => entry.key === key)) continue;
    problems.push({ line: section.line, text: `[${section.name}] has no ${key}`, remedy: `write ${key} = ${example}` });
  }
  if (problems.length > before || name === undefined || store === null) return null;
  return build(name, store, values, facts);
}

function build(
  name: string,
  store: StoreName,
  values: ReadonlyMap<string, unknown>,
  { blockBytes }: ServerFacts,
): ServerConfig {
  const value = <T>(key: string) => values.get(key) as T;
  const number = (key: string) => value<number>(key);
  if (store === 'nfs') return { store, name, mountPoints: value<readonly string[]>('mount_points') };
  return {
    store,
    name,
    endpoints: value<readonly S3Endpoint[]>('endpoints'),
    bucket: value<string>('bucket'),
    prefix: value<string>('prefix'),
    region: value<string>('region'),
    addressing: value<'path' | 'virtual'>('addressing'),
    credentialsFile: value<string>('credentials_file') || null,
    caFile: value<string>('ca_file') || null,
    tlsVerify: value<boolean>('tls_verify'),
    partBytes: number('part_size_mb') * mib || Math.max(blockBytes, partMbMin * mib),
    partsInFlight: number('parts_in_flight'),
    connectTimeoutS: number('connect_timeout_s'),
    idleTimeoutS: number('idle_timeout_s'),
    requestRetryS: number('request_retry_s'),
  };
}

/** Two storage servers on one mount would be two names for one thing, and each would think that it is alone there. */
function tellSharedMounts(
  server: NfsServerConfig,
  earlier: readonly ServerConfig[],
  { defaultRoot }: ServerFacts,
  tell: Tell,
): void {
  for (const mount of server.mountPoints) {
    const other = earlier.find((one) => one.store === 'nfs' && one.mountPoints.includes(mount));
    const owner = other !== undefined ? `[server:${other.name}]` : mount === defaultRoot ? 'nfs_mount_point' : null;
    if (owner !== null) tell('mount_points', `${mount} is in ${owner} already`, 'one mount serves one storage server');
  }
}

/** Of several, claims name the one that their writer uses. */
function tellLongMounts({ mountPoints }: NfsServerConfig, tell: Tell): void {
  const long = mountPoints.length === 1 ? undefined : mountPoints.find((path) => mountText(path) === null);
  if (long === undefined) return;
  const text = `${long.slice(0, 40)}… is longer than the ${mountBytesMax} bytes that one of several mount points may have`;
  tell('mount_points', text, 'mount it at a shorter path');
}

/** Told once, by the storage server that is one too many. */
function tellTooManyMounts(
  { mountPoints }: NfsServerConfig,
  earlier: readonly ServerConfig[],
  { defaultRoot }: ServerFacts,
  tell: Tell,
): void {
  const others = earlier.reduce((sum, one) => sum + (one.store === 'nfs' ? one.mountPoints.length : 0), 0);
  const before = others + (defaultRoot === null ? 0 : 1);
  if (before > engineMountsMax || before + mountPoints.length <= engineMountsMax) return;
  const text = `${before + mountPoints.length} mounts are more than the ${engineMountsMax} that an engine has`;
  tell('mount_points', text, 'list fewer for each storage server, or serve some from another media server');
}

function tellSharedBucket(server: S3ServerConfig, earlier: readonly ServerConfig[], tell: Tell): void {
  const urls = new Set(server.endpoints.map(({ url }) => url));
  const other = earlier.find(
    (one) =>
      one.store === 's3' &&
      one.bucket === server.bucket &&
      one.prefix === server.prefix &&
      one.endpoints.some(({ url }) => urls.has(url)),
  );
  if (other === undefined) return;
  const text = `bucket ${server.bucket} with this prefix is in [server:${other.name}] already`;
  tell('bucket', text, 'give it a bucket or a prefix of its own');
}

/** What would look safer than it is, and what can reach nobody. */
function tellOddTls(server: S3ServerConfig, tell: Tell): void {
  const { endpoints, addressing, bucket } = server;
  const tls = endpoints.some((one) => one.tls);
  if (endpoints.some((one) => one.tls !== tls))
    tell('endpoints', 'endpoints mixes http and https', 'write all of them with one scheme');
  else if (!tls && server.caFile !== null)
    tell('ca_file', 'ca_file says nothing about endpoints of http', 'write https://, or remove ca_file');
  else if (!tls && !server.tlsVerify)
    tell('tls_verify', 'tls_verify says nothing about endpoints of http', 'write https://, or remove tls_verify');
  if (addressing !== 'virtual') return;
  const address = endpoints.find(({ isAddress }) => isAddress);
  if (address !== undefined)
    tell('addressing', `${address.url} cannot carry the bucket in its name`, 'write addressing = path');
  else if (!/^[a-z0-9.-]+$/.test(bucket))
    tell('addressing', `bucket ${bucket} cannot be part of a host name`, 'write addressing = path');
}

function tellPartTotals(server: S3ServerConfig, facts: ServerFacts, tell: Tell): void {
  const part = server.partBytes / mib;
  if (server.partBytes > facts.maxMemoryBytes / 2) {
    const text = `part_size_mb = ${part} is more than half of max_memory_mb = ${facts.maxMemoryBytes / mib}`;
    tell('part_size_mb', text, 'lower part_size_mb or raise max_memory_mb');
  }
  if (Math.ceil(facts.readAheadBytes / server.partBytes) + 1 > facts.slotsMax) {
    const text = `read_ahead_mb = ${facts.readAheadBytes / mib} is more than ${facts.slotsMax - 1} parts of ${part} MiB`;
    tell('part_size_mb', text, 'raise part_size_mb or lower read_ahead_mb');
  }
}

function lineOf(section: IniSection, key: string): number {
  return section.entries.find((entry) => entry.key === key)?.line ?? section.line;
}
