/** One JSON line of the log as a line for a person: time, level, job and image, text, then the other fields. */
const colours: Record<string, string> = { ERROR: '31', FATAL: '31', WARN: '33', INFO: '32', DEBUG: '36', TRACE: '90' };
const shownApart = new Set(['time', 'level', 'pid', 'job', 'image', 'msg', 'err']);

/** `line`: as pino writes it, with its line feed. What is no JSON comes back as it is. */
export function terminalLine(line: string, colour: boolean): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const paint = (text: string, code: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const level = String(entry.level ?? '');
  const about = [entry.job, entry.image].filter((part) => part !== undefined && part !== '').map(printable);
  const rest = Object.entries(entry).filter(([name]) => !shownApart.has(name));
  const parts = [
    paint(String(entry.time ?? '').slice(11, 23), '90'),
    paint(level.padEnd(5), colours[level] ?? '0'),
    ...(about.length > 0 ? [paint(`[${about.join(' ')}]`, '90')] : []),
    printable(entry.msg ?? ''),
    ...rest.map(([name, value]) => paint(`${name}=${printable(value)}`, '90')),
  ];
  const stack = (entry.err as { stack?: string } | undefined)?.stack;
  return `${parts.join(' ')}\n${stack ? `${stack.split('\n').map(printable).join('\n')}\n` : ''}`;
}

/** Control characters of a hostile name must not reach the terminal. */
function printable(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
