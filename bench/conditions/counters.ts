/**
 * Counters of kernel and network around a sample: all since boot or mount, so that only differences say something.
 *
 *   nfs.write.ops, .retrans, .bytesSent, .bytesReceived, .queueMs, .rttMs, .executeMs, .errors   of read, write, commit of the target's
 *       mount (/proc/self/mountstats); ms are summed over all requests: rttMs / ops is the mean. nfs.sends, nfs.badXids, nfs.backlog
 *       of its connections; backlog sums the requests that waited for a slot at each send
 *   tcp.retransSegs, tcp.timeouts …   of the machine, all connections (/proc/net/snmp, /proc/net/netstat)
 *   eth0.txBytes …   of each interface (/sys/class/net)
 *   disk.writeBytes, disk.busyMs …   of the target's block device (/sys/dev/block/<major:minor>/stat); queueMs sums over all requests
 *   cpu.softirqS, cpu.stealS …   of all processors (/proc/stat)
 */
import { cpuCounters } from './accounting.ts';
import { Files, numberOf } from './files.ts';
import { mountOf } from './mounts.ts';

export type Counters = Record<string, number>;

const interfacesMax = 32;

/** One line of names, one of values, each behind the same word: how snmp and netstat are written. */
function pairedLines(lines: readonly string[], group: string): Map<string, number> {
  const values = new Map<string, number>();
  const own = lines.filter((line) => line.startsWith(`${group}: `)).map((line) => line.trim().split(/\s+/));
  for (let i = 0; i + 1 < own.length; i += 2) {
    for (const [at, name] of own[i].entries()) {
      const value = numberOf(own[i + 1][at]);
      if (at > 0 && value !== null) values.set(name, value);
    }
  }
  return values;
}

const tcpNames: readonly [group: 'snmp' | 'netstat', theirs: string, ours: string][] = [
  ['snmp', 'OutSegs', 'outSegs'],
  ['snmp', 'RetransSegs', 'retransSegs'],
  ['snmp', 'EstabResets', 'resets'],
  ['snmp', 'InErrs', 'inErrors'],
  ['netstat', 'TCPTimeouts', 'timeouts'],
  ['netstat', 'TCPFastRetrans', 'fastRetrans'],
  ['netstat', 'TCPLostRetransmit', 'lostRetrans'],
  ['netstat', 'TCPBacklogDrop', 'backlogDrops'],
  ['netstat', 'TCPRcvQDrop', 'receiveQueueDrops'],
  ['netstat', 'TCPOFOQueue', 'outOfOrder'],
];

function tcp(files: Files): Counters {
  const groups = {
    snmp: pairedLines(files.lines('proc/net/snmp'), 'Tcp'),
    netstat: pairedLines(files.lines('proc/net/netstat'), 'TcpExt'),
  };
  const found: Counters = {};
  for (const [group, theirs, ours] of tcpNames) {
    const value = groups[group].get(theirs);
    if (value !== undefined) found[`tcp.${ours}`] = value;
  }
  return found;
}

const interfaceNames = ['bytes', 'packets', 'errors', 'dropped'] as const;

function network(files: Files): Counters {
  const found: Counters = {};
  for (const name of files.names('sys/class/net').slice(0, interfacesMax)) {
    for (const way of ['rx', 'tx'] as const) {
      for (const what of interfaceNames) {
        const value = files.number(`sys/class/net/${name}/statistics/${way}_${what}`);
        if (value !== null) found[`${name}.${way}${what[0].toUpperCase()}${what.slice(1)}`] = value;
      }
    }
  }
  return found;
}

/** Fields of Documentation/block/stat.rst; a sector has 512 bytes there whatever the device has. */
const diskFields: readonly [at: number, name: string, times: number][] = [
  [0, 'reads', 1],
  [2, 'readBytes', 512],
  [3, 'readMs', 1],
  [4, 'writes', 1],
  [6, 'writeBytes', 512],
  [7, 'writeMs', 1],
  [9, 'busyMs', 1],
  [10, 'queueMs', 1],
  [15, 'flushes', 1],
  [16, 'flushMs', 1],
];

function disk(files: Files, device: string | null): Counters {
  if (device === null || !/^\d+:\d+$/.test(device)) return {};
  const fields = files.line(`sys/dev/block/${device}/stat`)?.split(/\s+/) ?? [];
  const found: Counters = {};
  for (const [at, name, times] of diskFields) {
    const value = numberOf(fields[at]);
    if (value !== null) found[`disk.${name}`] = value * times;
  }
  return found;
}

/** Lines of the device mounted there. A mount point in mountstats is escaped as in mountinfo. */
function mountstatsOf(files: Files, mountPoint: string): string[] {
  const lines = files.lines('proc/self/mountstats');
  const escaped = mountPoint.replaceAll(/[\\ \t\n]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  const begins = (line: string): boolean => line.startsWith('device ');
  const first = lines.findLastIndex((line) => begins(line) && line.includes(` mounted on ${escaped} with fstype nfs`));
  if (first < 0) return [];
  const end = lines.findIndex((line, i) => i > first && begins(line));
  return lines.slice(first + 1, end < 0 ? undefined : end);
}

/** 'READ: ops transmissions majorTimeouts bytesSent bytesReceived queueMs rttMs executeMs [errors]'. */
function nfsOperation(line: string): Counters {
  const match = /^\s*(READ|WRITE|COMMIT):\s+(.*)$/.exec(line);
  if (match === null) return {};
  const [ops, transmissions, timeouts, bytesSent, bytesReceived, queueMs, rttMs, executeMs, errors] = match[2]
    .trim()
    .split(/\s+/)
    .map(numberOf);
  const named = { ops, timeouts, bytesSent, bytesReceived, queueMs, rttMs, executeMs, errors };
  const prefix = `nfs.${match[1].toLowerCase()}.`;
  const found: Counters = {};
  for (const [name, value] of Object.entries(named))
    if (value !== null && value !== undefined) found[`${prefix}${name}`] = value;
  if (typeof ops === 'number' && typeof transmissions === 'number') found[`${prefix}retrans`] = transmissions - ops;
  return found;
}

/** 'xprt: tcp srcport bind connects connectTime idle sends recvs badXids requests backlog …'; one line a connection. */
function nfsConnection(line: string): Counters {
  const match = /^\s*xprt:\s+(?:tcp|rdma)\s+(.*)$/.exec(line);
  if (match === null) return {};
  const fields = match[1].trim().split(/\s+/).map(numberOf);
  const named = {
    'nfs.connects': fields[2],
    'nfs.sends': fields[5],
    'nfs.badXids': fields[7],
    'nfs.backlog': fields[9],
  };
  return Object.fromEntries(
    Object.entries(named).filter((pair): pair is [string, number] => typeof pair[1] === 'number'),
  );
}

function nfs(files: Files, mountPoint: string | null): Counters {
  const found: Counters = {};
  if (mountPoint === null) return found;
  for (const line of mountstatsOf(files, mountPoint)) {
    for (const [name, value] of Object.entries({ ...nfsOperation(line), ...nfsConnection(line) }))
      found[name] = (found[name] ?? 0) + value;
  }
  return found;
}

/** `directory`: what is written to or read from; null where the target is a bucket. */
export function counters(directory: string | null, files: Files = new Files()): Counters {
  const mount = directory === null ? null : mountOf(files, directory);
  return {
    ...nfs(files, mount?.mountPoint ?? null),
    ...tcp(files),
    ...network(files),
    ...disk(files, mount?.device ?? null),
    ...cpuCounters(files),
  };
}

/** What is in both and did not run backwards: an interface or mount that came anew has no difference. */
export function difference(before: Counters, after: Counters): Counters {
  const found: Counters = {};
  for (const [name, value] of Object.entries(after)) {
    const from = before[name];
    if (from !== undefined && value >= from) found[name] = Number((value - from).toFixed(6));
  }
  return found;
}
