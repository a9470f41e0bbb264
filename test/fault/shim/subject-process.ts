/** A process for the shim's own tests, and a tour of all calls that the addon makes on storage. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const { O_RDWR, O_CREAT, O_EXCL } = constants;
const subjectFile = fileURLToPath(new URL('./subject.ts', import.meta.url));
export const noDir = -1;

/** A process that makes the addon calls it is told. */
export class Subject {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exit: Promise<unknown[]>;
  readonly #answers: AsyncIterator<string>;

  constructor(env: NodeJS.ProcessEnv, command: string[] = []) {
    const [first, ...rest] = [...command, process.execPath, subjectFile];
    this.child = spawn(first, rest, { env: { ...process.env, ...env }, stdio: 'pipe' });
    this.child.stderr.pipe(process.stderr);
    this.child.stdin.on('error', () => {});
    this.exit = once(this.child, 'exit');
    const lines = createInterface({ input: this.child.stdout });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  async started(): Promise<number> {
    return Number((await this.#answers.next()).value);
  }

  /** Result of an addon call; undefined when the process died in it. */
  async call(...call: unknown[]): Promise<number | undefined> {
    this.child.stdin.write(`${JSON.stringify(call)}\n`);
    const { value } = await this.#answers.next();
    return value === undefined ? undefined : (JSON.parse(value) as number);
  }

  async end(): Promise<void> {
    this.child.stdin.end();
    await this.exit;
  }
}

/** Every addon call on storage once. */
export async function everything(subject: Subject, rootId: number): Promise<void> {
  const file = await subject.call('openFile', rootId, 'a', O_RDWR | O_CREAT | O_EXCL, 0o640);
  await subject.call('writeBytes', file, 'text:hello world', 11, 0);
  await subject.call('readBytes', file, 'text:...........', 11, 0);
  await subject.call('syncData', file);
  await subject.call('syncFile', file);
  await subject.call('startWriteback', file);
  await subject.call('truncateFile', file, 5);
  await subject.call('changeMode', file, 0o600);
  await subject.call('lockFile', file);
  await subject.call('statFile', file, 'stat');
  await subject.call('statFileSystem', file, 'stat');
  await subject.call('makeDir', rootId, 'd', 0o750);
  await subject.call('statAt', rootId, 'a', 'stat');
  await subject.call('linkFile', rootId, 'a', rootId, 'd/b');
  await subject.call('renameFile', rootId, 'd', rootId, 'e', 0);
  await subject.call('renameFile', rootId, 'a', rootId, 'c', 1);
  const copy = await subject.call('openFile', rootId, 'copy', O_RDWR | O_CREAT, 0o640);
  await subject.call('copyRange', copy, file, 0, 5);
  await subject.call('cloneFile', copy, file);
  const list = await subject.call('openList', rootId, '.');
  while (((await subject.call('nextNames', list, 100)) as unknown as string[]).length > 0);
  await subject.call('closeList', list);
  await subject.call('unlinkFile', rootId, 'e/b', 0);
  await subject.call('unlinkFile', rootId, 'e', 0x200);
  for (const open of [file, copy, rootId]) await subject.call('closeFile', open);
}

/** What the tour is to the shim, one name a call; of a file that may have been there before, it is seen that it is one. */
export const everyName = (
  'open open write read fdatasync fsync writeback truncate chmod lock stat statfs mkdir stat ' +
  'link rename rename open stat copy clone open list list list unlink rmdir'
).split(' ');
