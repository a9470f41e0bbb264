/** Tables and progress lines on a terminal, or plain lines into a file. */

/** Columns as wide as their widest cell; numbers (cells that begin with a digit) to the right. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const right = head.map((_title, i) => rows.every((row) => /^[\d–]/.test(row[i])));
  const line = (cells: string[]): string =>
    cells
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** One line that is written over on a terminal; elsewhere a line at each tenth. */
export class Progress {
  private readonly out: NodeJS.WriteStream;
  private readonly label: string;
  private told = -1;

  constructor(label: string, out: NodeJS.WriteStream = process.stdout) {
    this.label = label;
    this.out = out;
  }

  show(done: number, total: number, seconds: number, each: string): void {
    const part = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(part * 30);
    const rate = seconds > 0 ? (done / 1e9 / seconds).toFixed(2) : '0.00';
    const text = `${this.label} [${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${Math.round(part * 100)} %  ${rate} GB/s`;
    if (this.out.isTTY) this.out.write(`\r\x1b[2K${text}  ${each}`.slice(0, (this.out.columns ?? 100) + 5));
    else if (Math.floor(part * 10) > this.told) this.out.write(`${text}  ${each}\n`);
    this.told = Math.floor(part * 10);
  }

  end(): void {
    if (this.out.isTTY) this.out.write('\r\x1b[2K');
  }
}
