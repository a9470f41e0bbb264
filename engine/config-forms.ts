/** The forms that values of vast-ost.conf have: each a schema that takes the file's text, and the words for its remedy. */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

/** What one key of the file is, whatever section it belongs to. */
export interface KeyForm {
  readonly key: string;
  /** As it would stand in the file. */
  readonly byDefault: string;
  /** Takes the text of the file. */
  readonly schema: z.ZodType<unknown, string>;
  /** What may stand there, for the remedy of a wrong value. */
  readonly form: string;
  /** Comment of the example file. */
  readonly help: string;
}

const wholeForm = /^[0-9]{1,15}$/;

export function whole(min: number, max: number, step = 1) {
  const form = step === 1 ? `a whole number from ${min} to ${max}` : `a multiple of ${step} from ${min} to ${max}`;
  const schema = z
    .string()
    .regex(wholeForm)
    .transform(Number)
    .refine((value) => value >= min && value <= max && value % step === 0);
  return { form, schema };
}

export function choice<const Names extends readonly [string, ...string[]]>(...names: Names) {
  return { form: names.length === 1 ? `only ${names[0]}` : `one of ${names.join(', ')}`, schema: z.enum(names) };
}

export const truth = { form: 'true or false', schema: z.enum(['true', 'false']).transform((text) => text === 'true') };

export const path = {
  form: 'an absolute path, such as /mnt/vast-netbackup',
  schema: z
    .string()
    .max(1000)
    .regex(/^\/[^\0]*$/)
    .refine((text) => !/(^|\/)\.\.?(\/|$)/.test(text)),
};

/** Processors of larger numbers than this are none that a kernel was built for. */
const cpuMax = 8191;

/** '0-3,8' as [0, 1, 2, 3, 8]; null: no such list, or a processor in it twice. */
export function parseCpus(text: string): readonly number[] | null {
  const cpus = new Set<number>();
  for (const part of text.split(',')) {
    const [, from, to = from] = /^[ \t]*([0-9]{1,4})(?:-([0-9]{1,4}))?[ \t]*$/.exec(part) ?? [];
    if (from === undefined || to === undefined || Number(from) > Number(to) || Number(to) > cpuMax) return null;
    for (let cpu = Number(from); cpu <= Number(to); cpu++) {
      if (cpus.has(cpu)) return null;
      cpus.add(cpu);
    }
  }
  return [...cpus].toSorted((a, b) => a - b);
}

/** The same back. */
export function cpusText(cpus: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const cpu of cpus) {
    const last = ranges.at(-1);
    if (last?.[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** Null: all that there are. */
export const cpuList = {
  form: 'all, or different processors and ranges of them, such as 0-15,32-47',
  schema: z.string().transform((text, context): readonly number[] | null => {
    if (text === 'all') return null;
    const cpus = parseCpus(text);
    if (cpus !== null) return cpus;
    context.addIssue({ code: 'custom' });
    return z.NEVER;
  }),
};

/** One slash between names, none at the end. */
export function tidyPath(text: string): string {
  return text.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
}

/** `item` of each part between commas, white space around it dropped; no part twice, 1 to `max` of them. */
export function list<T>(max: number, what: string, same: (value: T) => string, item: (text: string) => T | null) {
  const schema = z.string().transform((text, context): readonly T[] => {
    const values = text.split(',').map((part) => item(part.replace(/^[ \t]+|[ \t]+$/g, '')));
    const good = values.filter((value) => value !== null);
    const different = new Set(good.map(same)).size;
    if (different === values.length && values.length <= max) return good;
    context.addIssue({ code: 'custom' });
    return z.NEVER;
  });
  return { form: `1 to ${max} different ${what}, separated by commas`, schema };
}

/** One address of an S3 store. */
export interface S3Endpoint {
  /** 'https://s3.example.com:9000': scheme, host and, unless it is the scheme's own, port. */
  readonly url: string;
  readonly tls: boolean;
  /** Host name or address; of IPv6 without its brackets. */
  readonly host: string;
  readonly port: number;
  /** The host is an address and no name: it cannot carry a bucket in front of it. */
  readonly isAddress: boolean;
}

const endpointForm = /^(https?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?::([0-9]{1,5}))?\/?$/;
const hostBytesMax = 253;

/** Null: not such an address. */
export function parseEndpoint(text: string): S3Endpoint | null {
  const [, scheme, written, digits] = endpointForm.exec(text) ?? [];
  if (scheme === undefined || written === undefined || written.length > hostBytesMax) return null;
  const tls = scheme === 'https';
  const usual = tls ? 443 : 80;
  const port = digits === undefined ? usual : Number(digits);
  if (port < 1 || port > 65_535) return null;
  const bracketed = written.startsWith('[');
  const host = (bracketed ? written.slice(1, -1) : written).toLowerCase();
  if (bracketed && !isIPv6(host)) return null;
  // Only digits at the end: an address, and then a whole one.
  if (!bracketed && /(^|\.)[0-9]+$/.test(host) && !isIPv4(host)) return null;
  const url = `${scheme}://${bracketed ? `[${host}]` : host}${port === usual ? '' : `:${port}`}`;
  return { url, tls, host, port, isAddress: bracketed || isIPv4(host) };
}
