/** All rows in figures, beside their floors; the error of the method; operations alone; what the counters saw. */
import {
  aaErrors,
  copyFloorOf,
  floorOf,
  isBareFloor,
  moreIsBetter,
  rowName,
  sizeText,
  values,
} from '../result/rows.ts';
import type { Result, Row } from '../result/schema.ts';
import { estimate, median, pairedRatios } from '../result/stats.ts';
import { section } from './frame.ts';
import { html, type Part, type Safe } from './html.ts';
import { callTimes, percentiles } from './latency.ts';
import { cpuPerGb, estimateOf, type Group, groups, measured } from './select.ts';
import { durationText, fixed, percentText, short, type Unit, unitFor } from './units.ts';

const cpuCell = (value: number | null): string => (value === null ? '–' : fixed(value, 3));

function ratioCells(row: Row, floor: Row | null): Part {
  if (floor === null || floor === row) return html`<td>–</td><td>–</td>`;
  const { median: middle, low, high, n } = estimate(pairedRatios(values(row), values(floor)));
  const interval = n > 1 ? `${fixed(low, 3)}–${fixed(high, 3)}` : '–';
  return html`<td class="strong">${fixed(middle, 3)}</td><td>${interval}</td>`;
}

function rowLine(row: Row, before: Row | undefined, unit: Unit, rows: readonly Row[], columns: Columns): Safe {
  const { median: middle, low, high, n } = estimateOf(row);
  const cpu = cpuPerGb(row);
  const first = before?.streams !== row.streams;
  return html`<tr class="${row.role}${first && before !== undefined ? ' first' : ''}"><td>${row.streams}</td><td class="text">${row.subject}</td>${columns.size ? html`<td>${sizeText(row.bytesPerStream)}</td>` : null}<td class="strong">${unit.text(middle)}</td><td>${n > 1 ? `${unit.text(low)}–${unit.text(high)}` : '–'}</td><td>${n}</td>${ratioCells(row, isBareFloor(row) ? null : floorOf(rows, row))}${columns.copy ? ratioCells(row, isBareFloor(row) ? null : copyFloorOf(rows, row)) : null}${columns.cpu ? html`<td>${cpuCell(cpu.hostProgram)}</td><td>${cpuCell(cpu.engine)}</td><td>${cpuCell(cpu.rest)}</td>` : null}</tr>
`;
}

interface Columns {
  readonly size: boolean;
  /** Beside floors with copy. */
  readonly copy: boolean;
  readonly cpu: boolean;
}

function groupTable({ title, unit: kind, rows }: Group): Safe {
  const unit = unitFor(
    kind,
    rows.map((row) => estimateOf(row).median),
  );
  const columns = {
    size: rows.some(({ bytesPerStream }) => bytesPerStream > 0),
    copy: rows.some(({ copies }) => copies === true),
    cpu: kind === 'B/s' && rows.some((row) => Object.values(cpuPerGb(row)).some((value) => value !== null)),
  };
  const sorted = rows.toSorted((a, b) => a.streams - b.streams);
  return html`<h3>${title}<span>${unit.label}${moreIsBetter(kind) ? '' : ', less is better'}</span></h3>
<div class="wide"><table><thead><tr><th>streams</th><th class="text">subject</th>${columns.size ? html`<th>each</th>` : null}<th>median</th><th>interval</th><th>n</th><th>× floor</th><th>interval</th>${columns.copy ? html`<th>× floor with copy</th><th>interval</th>` : null}${columns.cpu ? html`<th>host program</th><th>engine</th><th>rest, s/GB</th>` : null}</tr></thead><tbody>
${sorted.map((row, i) => rowLine(row, sorted[i - 1], unit, rows, columns))}</tbody></table></div>
`;
}

/** What guards the bytes, once for all that are guarded alike. */
function guards(rows: readonly Row[]): Part {
  const found = new Map<string, Set<string>>();
  for (const { integrity, subject } of measured(rows)) {
    if (integrity === undefined) continue;
    found.set(integrity, (found.get(integrity) ?? new Set()).add(subject));
  }
  if (found.size === 0) return null;
  return html`<h3>What guards the bytes</h3><dl class="conditions guards">${[...found].map(
    ([integrity, subjects]) => html`<div class="full"><dt>${[...subjects].join('; ')}</dt><dd>${integrity}</dd></div>
`,
  )}</dl>`;
}

export function rowTables(rows: readonly Row[]): Safe | null {
  const found = groups(rows);
  if (found.length === 0) return null;
  return section(
    'rows',
    'All rows',
    'Medians with their intervals; × floor is the median of the ratios to the best floor within one alternation, × floor with copy to the best of those that copy each byte once. CPU in seconds per GB.',
    [found.map(groupTable), guards(rows)],
  );
}

export function latencyTable(rows: readonly Row[]): Safe | null {
  const all = measured(rows).flatMap(callTimes);
  if (all.length === 0) return null;
  return html`<h3>Time of a call</h3><div class="wide"><table><thead><tr><th class="text">row</th><th class="text">call</th><th>calls</th>${percentiles.map(([name]) => html`<th>${name}</th>`)}</tr></thead><tbody>
${all.map(
  ({ row, call, n, times }) =>
    html`<tr><td class="text">${rowName({ ...row, blockBytes: 0, bytesPerStream: 0 })}</td><td class="text">${call}</td><td>${n}</td>${times.map((time) => html`<td>${durationText(time.median)}</td>`)}</tr>
`,
)}</tbody></table></div>`;
}

/** Counters that say something went wrong, or how the storage answered; the JSON has all of them. */
const tellTale =
  /retrans|timeout|drop|error|resets|badXids|stealS|softirqS|irqS|iowaitS|rttMs|executeMs|busyMs|flushMs/i;
const counterColumnsMax = 10;

function counterTable(rows: readonly Row[]): Safe | null {
  const found = measured(rows);
  const grownBy = (row: Row, name: string): number => median(row.samples.map(({ counters }) => counters[name] ?? 0));
  const names = [...new Set(found.flatMap(({ samples }) => samples.flatMap(({ counters }) => Object.keys(counters))))]
    .filter((name) => tellTale.test(name) && found.some((row) => grownBy(row, name) !== 0))
    .sort()
    .slice(0, counterColumnsMax);
  if (names.length === 0) return null;
  return html`<h3>Counters of kernel and network<span>medians of what each grew by in a sample</span></h3><div class="wide"><table><thead><tr><th class="text">row</th>${names.map((name) => html`<th>${name}</th>`)}</tr></thead><tbody>
${found.map(
  (
    row,
  ) => html`<tr><td class="text">${rowName({ ...row, blockBytes: 0, bytesPerStream: 0 })}</td>${names.map((name) => html`<td>${short(grownBy(row, name))}</td>`)}</tr>
`,
)}</tbody></table></div>`;
}

function microTable({ micro }: Result): Safe | null {
  if (micro.length === 0) return null;
  return html`<h3>Operations alone</h3><div class="wide"><table><thead><tr><th class="text">operation</th><th>mean, ns</th><th>± at 95 %</th><th>p50, ns</th><th>p99, ns</th><th>GB/s</th><th>n</th></tr></thead><tbody>
${micro.map(({ name, meanNs, p50Ns, p99Ns, rme, n, bytes, share }) =>
  share !== undefined
    ? html`<tr><td class="text">${name}</td><td class="strong">${percentText(share)}</td><td>–</td><td>–</td><td>–</td><td>–</td><td>${n.toFixed(0)}</td></tr>
`
    : html`<tr><td class="text">${name}</td><td class="strong">${short(meanNs)}</td><td>${fixed(rme, 1)} %</td><td>${short(p50Ns)}</td><td>${short(p99Ns)}</td><td>${bytes > 0 ? fixed(bytes / meanNs, 2) : '–'}</td><td>${n.toFixed(0)}</td></tr>
`,
)}</tbody></table></div>`;
}

function errorTable(rows: readonly Row[]): Safe | null {
  const errors = aaErrors(rows);
  if (errors.length === 0) return null;
  return html`<h3>Error of the method<span>the same engine twice, A/A</span></h3><div class="wide"><table class="narrow"><thead><tr><th class="text">row</th><th>error</th></tr></thead><tbody>
${errors.map(
  ({ row, error }) => html`<tr><td class="text">${rowName(row)}</td><td class="strong">${percentText(error)}</td></tr>
`,
)}</tbody></table></div>`;
}

function stallTable({ stalls }: Result): Safe | null {
  if (stalls.length === 0) return null;
  return html`<h3>Stalls of the event loop</h3><div class="wide"><table class="narrow"><thead><tr><th class="text">subject</th><th>longest, ms</th><th>seconds over 30 ms</th><th>longest without waits for a processor, ms</th></tr></thead><tbody>
${stalls.map(
  ({
    subject,
    maxMs,
    over30Ms,
    own,
  }) => html`<tr><td class="text">${subject}</td><td>${fixed(maxMs, 1)}</td><td>${over30Ms}</td><td>${own === undefined ? '–' : fixed(own.maxMs, 1)}</td></tr>
`,
)}</tbody></table></div>`;
}

export function otherTables(result: Result): Safe | null {
  const tables = [
    errorTable(result.rows),
    latencyTable(result.rows),
    microTable(result),
    counterTable(result.rows),
    stallTable(result),
  ];
  if (tables.every((table) => table === null)) return null;
  return section('figures', 'More figures', 'Medians over the samples of each row.', tables);
}
