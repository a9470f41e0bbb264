/** On what it was measured, in words. */
import { sizeText } from '../result/rows.ts';
import type { Conditions, Result } from '../result/schema.ts';
import { valueText } from '../result/text.ts';
import { section } from './frame.ts';
import { html, type Safe } from './html.ts';
import { fixed, plural } from './units.ts';

function speed(mbit: number | null): string {
  if (mbit === null) return 'speed not known';
  return mbit >= 1000 ? `${Number((mbit / 1000).toFixed(1))} Gbit/s` : `${mbit} Mbit/s`;
}

function governorsText(governors: readonly string[]): string {
  if (governors.length === 0) return 'none (the kernel has no say)';
  return [...new Set(governors)]
    .map((name) => `${name} (${governors.filter((other) => other === name).length})`)
    .join(', ');
}

function dataText({ dedup, compress, seed }: Conditions['data']): string {
  const plain = dedup <= 1 && compress <= 1;
  return `${plain ? 'fresh and incompressible' : `dedup ${dedup}, compress ${compress}, on purpose`}; seed ${seed}`;
}

export function conditionsSection(result: Result): Safe {
  const { conditions: c } = result;
  const tools = Object.entries(c.tools).map(([name, version]) =>
    version === null ? `${name}: not installed` : `${name}: ${version}`,
  );
  const entries: readonly [name: string, text: string, full?: boolean][] = [
    ['media server', c.host],
    ['processor', `${c.cpu}, ${plural(c.cores, 'core')}, ${plural(c.numaNodes, 'NUMA node')}`],
    ['memory', sizeText(c.memoryBytes)],
    ['governors', governorsText(c.governors)],
    ['virtualization', c.virtualization ?? 'not known'],
    ['kernel', `Linux ${c.kernel}`],
    ['Node', c.node],
    ['engine', c.engine],
    ['load before', fixed(c.loadBefore, 2)],
    ['data', dataText(c.data)],
    ...(c.diskRate === null ? [] : [['disk', `held to ${valueText(c.diskRate, 'B/s')} each way`] as [string, string]]),
    ['rounds', `${plural(c.alternations, 'alternation')} behind ${plural(c.warmUps, 'warm-up')}`],
    ['duration', `${fixed(result.seconds, 0)} s`],
    [
      'target',
      `${c.target.place}: ${c.target.fsType}${c.target.mountPoint === '' ? '' : ` at ${c.target.mountPoint}`}${c.target.options === '' ? '' : ` (${c.target.options.replaceAll(',', ', ')})`}`,
      true,
    ],
    [
      'network',
      c.interfaces.length === 0
        ? 'none told'
        : c.interfaces
            .map(({ name, mbitPerS, mtu, driver }) => `${name}: ${speed(mbitPerS)}, MTU ${mtu}, driver ${driver}`)
            .join('; '),
      true,
    ],
    ['other programs', tools.length === 0 ? 'none looked for' : tools.join('; '), true],
    ['arguments', result.arguments.length === 0 ? 'none' : result.arguments.join(' '), true],
    ['run', `${result.id}, started ${result.startedAt}`, true],
  ];
  return section(
    'conditions',
    'Conditions',
    'As the kernel told them when the run began.',
    html`<dl class="conditions">${entries.map(
      ([name, text, full]) => html`<div class="${full ? 'full' : ''}"><dt>${name}</dt><dd>${text}</dd></div>
`,
    )}</dl>`,
  );
}

export function serversSection({ merged }: Result): Safe | null {
  if (merged.length === 0) return null;
  return section(
    'servers',
    'Media servers',
    'Started together; seconds from the first start to where each had its first and its last sample done.',
    html`<div class="wide"><table class="narrow"><thead><tr><th class="text">media server</th><th>first done, s</th><th>last done, s</th><th>GB</th><th class="text">run</th></tr></thead><tbody>
${merged.map(
  ({
    host,
    id,
    firstDone,
    lastDone,
    bytes,
  }) => html`<tr><td class="text">${host}</td><td>${fixed(firstDone, 1)}</td><td>${fixed(lastDone, 1)}</td><td>${fixed(bytes / 1e9, 2)}</td><td class="text">${id}</td></tr>
`,
)}</tbody></table></div>`,
  );
}
