/** The conditions of a run: machine, kernel, target, network. Asked once, before anything is measured. */
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { top } from '../../scripts/steps.ts';
import type { Conditions } from '../result/schema.ts';
import { Files, numberOf, plain } from './files.ts';
import { mountOf } from './mounts.ts';

/** What the machine cannot know. */
export interface RunSettings {
  /** Directory or s3:// address. */
  readonly target: string;
  readonly engine: string;
  readonly tools: Conditions['tools'];
  readonly data: Conditions['data'];
  readonly diskRate: number | null;
  readonly warmUps: number;
  readonly alternations: number;
}

const interfacesMax = 64;

/** Value of 'name : value' in the first block of /proc/cpuinfo and its like. */
function field(lines: readonly string[], name: string): string | null {
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).trim() === name) return line.slice(colon + 1).trim() || null;
  }
  return null;
}

function cpuName(lines: readonly string[]): string {
  const model = field(lines, 'model name') ?? field(lines, 'cpu') ?? field(lines, 'Hardware');
  if (model !== null) return plain(model);
  // ARM names the designer and its part only.
  const [designer, part] = [field(lines, 'CPU implementer'), field(lines, 'CPU part')];
  return designer === null ? 'unknown' : plain(`ARM ${designer}, part ${part ?? 'unknown'}`);
}

const vendors: readonly [pattern: RegExp, name: string][] = [
  [/vmware/i, 'vmware'],
  [/microsoft/i, 'hyper-v'],
  [/xen/i, 'xen'],
  [/innotek|virtualbox/i, 'virtualbox'],
  [/qemu|kvm|amazon ec2|google|openstack|red hat/i, 'kvm'],
];

/** By the firmware's names and the processor's flag; 'none' only where a processor that has the flag does not set it. */
export function virtualization(files: Files): string | null {
  const cpuinfo = files.lines('proc/cpuinfo');
  const flags = field(cpuinfo, 'flags');
  const hypervisor = flags?.split(' ').includes('hypervisor') ?? null;
  const firmware = ['sys_vendor', 'product_name', 'bios_vendor']
    .map((name) => files.line(`sys/class/dmi/id/${name}`) ?? '')
    .join(' ');
  const known = vendors.find(([pattern]) => pattern.test(firmware))?.[1] ?? files.line('sys/hypervisor/type');
  // Machines of Google, Amazon or Microsoft may be bare metal: the flag decides where there is one.
  const machine = hypervisor === false ? 'none' : (known ?? (hypervisor ? 'a hypervisor that gives no name' : null));
  const container = files.text('.dockerenv') !== null || files.text('run/.containerenv') !== null;
  if (!container) return machine === null ? null : plain(machine);
  return machine === null || machine === 'none' ? 'container' : plain(`${machine}, container`);
}

function interfaces(files: Files): Conditions['interfaces'] {
  const base = 'sys/class/net';
  return files
    .names(base)
    .filter((name) => files.line(`${base}/${name}/operstate`) !== 'down')
    .slice(0, interfacesMax)
    .map((name) => {
      const speed = files.number(`${base}/${name}/speed`);
      return {
        name: plain(name, 32),
        mbitPerS: speed !== null && speed > 0 ? speed : null,
        mtu: files.number(`${base}/${name}/mtu`) ?? 0,
        driver: plain(files.linkName(`${base}/${name}/device/driver`) ?? 'none'),
      };
    });
}

/** An address of a bucket may carry credentials, before an @ or in its query: they stay out of results. */
export function withoutCredentials(target: string): string {
  if (!target.includes('://')) return target;
  return target.replace(/^([a-z0-9+.-]+:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/s, '');
}

/** What lies in the checkout is named from its top: who shows a result need not show where its maker keeps it. */
function placeOf(target: string): string {
  return target.startsWith(`${top}/`) ? relative(top, target) : withoutCredentials(target);
}

function targetOf(files: Files, target: string): Conditions['target'] {
  const place = plain(placeOf(target), 1000);
  if (target.includes('://')) return { place, fsType: 's3', mountPoint: '', options: '' };
  const mount = mountOf(files, target);
  if (mount === null) return { place, fsType: 'unknown', mountPoint: '', options: '' };
  return { place, fsType: mount.fsType, mountPoint: plain(mount.mountPoint, 1000), options: mount.options };
}

export function load(files: Files): number | null {
  return numberOf(files.line('proc/loadavg')?.split(' ')[0]);
}

export function conditions(settings: RunSettings, files: Files = new Files()): Conditions {
  const cpuinfo = files.lines('proc/cpuinfo');
  const cores = cpuinfo.filter((line) => /^processor\s*:/.test(line)).length;
  const processors = files.names('sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name));
  const memoryKb = numberOf(field(files.lines('proc/meminfo'), 'MemTotal')?.split(' ')[0]);
  return {
    host: plain(files.line('proc/sys/kernel/hostname') ?? 'unknown'),
    cpu: cpuName(cpuinfo),
    cores: cores > 0 ? cores : availableParallelism(),
    numaNodes: Math.max(1, files.names('sys/devices/system/node').filter((name) => /^node\d+$/.test(name)).length),
    governors: processors
      .map((name) => files.line(`sys/devices/system/cpu/${name}/cpufreq/scaling_governor`))
      .filter((governor): governor is string => governor !== null)
      .map((governor) => plain(governor)),
    memoryBytes: (memoryKb ?? 0) * 1024,
    kernel: plain(files.line('proc/sys/kernel/osrelease') ?? 'unknown'),
    node: process.version,
    engine: settings.engine,
    virtualization: virtualization(files),
    target: targetOf(files, settings.target),
    interfaces: interfaces(files),
    loadBefore: load(files) ?? 0,
    tools: settings.tools,
    data: settings.data,
    diskRate: settings.diskRate,
    warmUps: settings.warmUps,
    alternations: settings.alternations,
  };
}
