/**
 * The engine's log: JSON lines by pino.
 *
 * Every line of a job carries `job` and `image`: make a child with both and hand that on. Never log payload, opaque
 * metadata or tokens; fields of those names are censored all the same.
 */
import pino, { type Logger } from 'pino';
import { LogFile } from './log-file.ts';
import { terminalLine } from './log-terminal.ts';

export type { Logger } from 'pino';

export type LogLevelName = 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE';

const secrets = ['token', 'writerToken', 'opaque', 'metadata', 'password', 'secret', 'secretKey', 'authorization'];
const flushMs = 2000;

export interface LogOptions {
  readonly level: LogLevelName;
  /** '-' = standard error: readable on a terminal, JSON lines elsewhere. */
  readonly file: string;
}

export interface EngineLog {
  readonly root: Logger;
  /** On SIGHUP, after logrotate has renamed the file: goes on in a new one of the same name. No line is lost. */
  reopen(): void;
  /**
   * The last thing before the process ends or kills itself: resolves when all lines are written or dropped, at most
   * after two seconds. Never rejects.
   */
  flush(): Promise<boolean>;
  /** The end after a bug: from now on lines are written at once, by this thread. Log the bug after it, then die. */
  direct(): void;
  /** Lines that could not be written since start. */
  readonly dropped: number;
  /** Text of the last failure to write; null while it works. */
  readonly failure: string | null;
}

/** Throws when the file cannot be opened: at start that is the operator's to hear. */
export function openLog({ level, file }: LogOptions): EngineLog {
  if (file === '-' && process.stderr.isTTY) {
    const stream = { write: (line: string) => process.stderr.write(terminalLine(line, true)) };
    const root = makeLogger(level, stream);
    const nothing = () => {};
    return { root, reopen: nothing, direct: nothing, flush: () => Promise.resolve(true), dropped: 0, failure: null };
  }
  const place = new LogFile(file === '-' ? null : file);
  return {
    root: makeLogger(level, place),
    reopen: () => place.reopen(),
    flush: () => place.flush(flushMs),
    direct: () => place.direct(),
    get dropped() {
      return place.dropped;
    },
    get failure() {
      return place.failure;
    },
  };
}

/** Into any place that takes lines. */
export function makeLogger(level: LogLevelName, place: { write(line: string): unknown }): Logger {
  return pino(
    {
      level: level.toLowerCase(),
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
      serializers: { err: pino.stdSerializers.err },
    },
    place as pino.DestinationStream,
  );
}
