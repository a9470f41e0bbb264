/** The shim's log: what each line says. Pure: the text comes in. */

/** A call begins: everything that is known before it is made. */
export interface BeginLine {
  kind: 'begin';
  /** Number of the call, from 1; the end line has the same. */
  call: number;
  /** Thread id; the main thread's is the pid. */
  thread: number;
  name: string;
  fd: number;
  /** Of the descriptor; 0 for calls by path. */
  inode: number;
  /** truncate: the new size. */
  offset: number;
  length: number;
  /** open: flags; rename: RENAME_*; unlink: AT_*. */
  flags: number;
  /** Where the bytes stand in the data file, or −1. */
  dataAt: number;
  /** Below the root, as it was when the call was made; '.' the root. Bytes as latin1. */
  path: string;
  path2: string;
}

export interface EndLine {
  kind: 'end';
  call: number;
  /** Count or descriptor, or −errno. */
  result: number;
  /** '-' or what a rule did: fail, short, hang, drop, kill (made, then killed). */
  action: string;
  /** open and mkdir: of what was opened or made. */
  inode: number;
  created: boolean;
}

export interface MarkLine {
  kind: 'mark';
  text: string;
}

export type LogLine = BeginLine | EndLine | MarkLine;

function pathOf(text = ''): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** @throws Error at a line that is not the shim's. A last line cut off by a kill is left out. */
export function parseLog(text: string): LogLine[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line) => {
    const words = line.split('\t');
    if (words[0] === 'M') return { kind: 'mark', text: decodeURIComponent(words[1]) };
    const [call, ...rest] = words.slice(1);
    if (words[0] === 'E' && words.length === 6) {
      const [result, action, inode, created] = rest;
      return {
        kind: 'end',
        call: Number(call),
        result: Number(result),
        action,
        inode: Number(inode),
        created: created === '1',
      };
    }
    if (words[0] !== 'B' || words.length < 11) throw new Error(`not a line of the shim's log: ${line}`);
    const [thread, name, fd, inode, offset, length, flags, dataAt, path, path2] = rest;
    return {
      kind: 'begin',
      call: Number(call),
      thread: Number(thread),
      name,
      fd: Number(fd),
      inode: Number(inode),
      offset: Number(offset),
      length: Number(length),
      flags: Number(flags),
      dataAt: Number(dataAt),
      path: pathOf(path),
      path2: pathOf(path2),
    };
  });
}
