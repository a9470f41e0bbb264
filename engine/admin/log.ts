/**
 * The engine's log: JSON lines by pino, written by libuv's own threads, so that a slow disk under the log never holds up
 * the coordinator. What the log cannot take (disk full, 8 MiB waiting) is dropped and counted, never waited for.
 *
 * Every line of a job carries `job` and `image`: make a child with both and hand that on. Never log payload, opaque
 * metadata or tokens; fields of those names are censored all the same.
 */
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import { terminalLine } from './log-terminal.ts';

export type { Logger } from 'pino';

const levels = ['ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'] as const;
export type LogLevelName = (typeof levels)[number];

/** Bytes that may wait for the disk. */
const waitingBytesMax = 8 * 1_048_576;
const fileMode = 0o640;
const secrets = ['token', 'writerToken', 'opaque', 'metadata', 'password', 'secret', 'secretKey', 'authorization'];

export interface LogOptions {
  readonly level: LogLevelName;
  /** '-' = standard error: readable on a terminal, JSON lines elsewhere. */
  readonly file: string;
}

export interface EngineLog {
  readonly root: Logger;
  /** After the file was renamed by logrotate: goes on in a new one of the same name. Nothing is lost in between. */
  reopen(): void;
  /** Writes out what waits; the last thing before the process ends. Never throws. */
  flush(): void;
  /** Lines that the log could not take since start. */
  readonly dropped: number;
  /** Text of the last failure to write, or null. */
  readonly failure: string | null;
}

/** Throws when the file cannot be opened: at start that is the operator's to hear. */
export async function openLog({ level, file }: LogOptions): Promise<EngineLog> {
  if (file === '-') return process.stderr.isTTY ? terminalLog(level) : streamLog(level, 2);
  closeSync(openSync(file, 'a', fileMode));
  return streamLog(level, file);
}

async function streamLog(level: LogLevelName, dest: string | 2): Promise<EngineLog> {
  const stream = pino.destination({ dest, append: true, sync: false, mode: fileMode, maxLength: waitingBytesMax });
  let dropped = 0;
  let failure: string | null = null;
  await once(stream, 'ready');
  stream.on('drop', () => {
    dropped++;
  });
  stream.on('error', (error: Error) => {
    // A listener that a failed reopen leaves behind would close the wrong descriptor at the next success.
    stream.removeAllListeners('ready');
    if (failure === null) process.stderr.write(`vast-ostd: the log cannot be written: ${error.message}\n`);
    failure = error.message;
  });
  return {
    root: makeLogger(level, stream),
    reopen: () => {
      failure = null;
      if (typeof dest === 'string') stream.reopen();
    },
    flush: () => {
      try {
        stream.flushSync();
      } catch (error) {
        failure = (error as Error).message;
      }
    },
    get dropped() {
      return dropped;
    },
    get failure() {
      return failure;
    },
  };
}

function terminalLog(level: LogLevelName): EngineLog {
  const stream = { write: (line: string) => process.stderr.write(terminalLine(line, true)) };
  return { root: makeLogger(level, stream), reopen: () => {}, flush: () => {}, dropped: 0, failure: null };
}

/** Also for tests: any place that takes lines. */
export function makeLogger(level: LogLevelName, stream: { write(line: string): unknown }): Logger {
  return pino(
    {
      level: level.toLowerCase(),
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
      serializers: { err: pino.stdSerializers.err },
    },
    stream,
  );
}
