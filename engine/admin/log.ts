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

const secretNames = ['token', 'writerToken', 'opaque', 'metadata', 'password', 'secret', 'secretKey', 'authorization'];
const secrets: ReadonlySet<string> = new Set(secretNames);
const censor = '[redacted]';
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
  const root: Logger = pino(
    {
      level: level.toLowerCase(),
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label.toUpperCase() }),
        log: (fields) => censored(fields, 2),
      },
      serializers: { err: errorFields },
    },
    place as pino.DestinationStream,
  );
  const makeChild = root.child;
  root.child = function child(this: Logger, fields: object, options: object) {
    return makeChild.call(this, censored(fields, 2), options);
  } as typeof root.child;
  return root;
}

/**
 * The same fields without secrets, so many levels deep; the very object where there are none, as nearly always. (pino's
 * own redact goes along all its paths for each line, which takes longer than making the line.)
 */
function censored<T extends object>(fields: T, levels: number): T {
  let clean: T | null = null;
  for (const [name, value] of Object.entries(fields)) {
    const deeper = levels > 1 && isFields(value) && !hasSerializer(name, value);
    const good: unknown = secrets.has(name) ? censor : deeper ? censored(value, levels - 1) : value;
    if (good !== value) clean = { ...(clean ?? fields), [name]: good };
  }
  return clean ?? fields;
}

function errorFields(error: Error): object {
  const fields: unknown = pino.stdSerializers.err(error);
  return isFields(fields) ? censored(fields, 1) : error;
}

/** That error is looked at when its serializer has made fields of it; of any other its own fields go into the line. */
function hasSerializer(name: string, value: object): boolean {
  return name === 'err' && value instanceof Error;
}

function isFields(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
