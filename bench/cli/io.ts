/** Where the bench's commands write. */
import { Progress } from '../workplace/progress.ts';

export interface BenchIo {
  out(text: string): void;
  /** A line on standard error. */
  fail(line: string): void;
  readonly progress: Progress;
}

/** Of this process: results on standard output, all else on standard error. */
export function processIo(): BenchIo {
  const { stderr } = process;
  const write = (text: string): void => void stderr.write(text);
  const progress = new Progress({ write, columns: stderr.isTTY ? stderr.columns : null });
  return {
    progress,
    out: (text) => {
      progress.clear();
      process.stdout.write(text);
    },
    fail: (line) => progress.note(`vast-ost bench: ${line}`),
  };
}
