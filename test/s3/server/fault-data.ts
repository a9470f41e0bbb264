/**
 * Faults as data: which request is hit, and what happens to it. At most one fault hits a request: the first that
 * matches, in the order they were added. Points of a request at which it can be cut or held:
 *
 *   start ── head read, nothing of the body          in ── after `bytes` bytes of the body
 *   read  ── body read whole, nothing carried out    done ── carried out, no answer sent
 *   out   ── head of the answer sent, and `bytes` bytes of its body
 */
import { type OperationName, operationNames } from './call.ts';

export type Point = 'start' | 'in' | 'read' | 'done' | 'out';
export const points: readonly Point[] = ['start', 'in', 'read', 'done', 'out'];

export type FaultAction =
  /** Another answer. `at` says how far the request gets first (default 'read': nothing is carried out). */
  | {
      do: 'answer';
      status: number;
      /** S3 code; with `body` given not used. */
      code?: string;
      message?: string;
      /** Seconds, or a date. */
      retryAfter?: string;
      headers?: Record<string, string>;
      /** Instead of S3's XML: a proxy's page, or ''. */
      body?: string;
      /** Connection: close. */
      close?: boolean;
      at?: 'start' | 'read' | 'done';
    }
  | { do: 'reset'; at: Point; bytes?: number }
  /** The connection ends in good order (FIN) at this point. */
  | { do: 'end'; at: Point; bytes?: number }
  /** Holds until released, by Faults.release or Fault.release, then goes on as if nothing had been. */
  | { do: 'stall'; at: Point; bytes?: number }
  | { do: 'slow'; side: 'in' | 'out'; bytesPerSecond: number }
  /** Content-Length tells the truth, the last `bytes` never come: the connection ends. */
  | { do: 'shortBody'; bytes: number }
  /** `bytes` more than asked for; `counted`: Content-Length says so too. */
  | { do: 'overlongBody'; bytes: number; counted: boolean }
  /** Content-Range tells of another range, this many bytes further on; the bytes are those asked for. */
  | { do: 'wrongRange'; shift: number }
  /** Content-Range is as asked, the bytes are from elsewhere. */
  | { do: 'wrongBytes'; shift: number }
  /** 200 and the whole object, whatever range was asked for. */
  | { do: 'ignoreRange' }
  | { do: 'wrongEtag' }
  /** Flips a bit of the answer's body on its way out. */
  | { do: 'corruptBody'; offset: number; bit: number }
  /** Flips a bit of the request's body before the server looks at it: a bad wire. */
  | { do: 'corruptIn'; offset: number; bit: number }
  /** Success, and nothing of it is true: body read and verified, not kept. */
  | { do: 'notStored' }
  /** 200 with an error inside, as Complete may answer; nothing is carried out. */
  | { do: 'errorIn200'; code: string; message?: string }
  /** Carried out, then reset without an answer: the same as reset at 'done'. */
  | { do: 'doneButReset' }
  | { do: 'expiredToken' }
  | { do: 'quota'; status: 507 | 403 }
  /** Not HTTP: these characters, then the end of the connection. */
  | { do: 'raw'; text: string };

export interface FaultMatch {
  /** One, several, or any (not given). */
  op?: OperationName | readonly OperationName[];
  /** Glob over the key: * any run, ? any one character. */
  key?: string;
  part?: number;
  /** Index into the server's endpoints. */
  endpoint?: number;
  /** Only the n-th matching request (from 1). */
  nth?: number;
  /** Every n-th matching request. */
  every?: number;
  /** At most this many. */
  count?: number;
}

/** What has faults (this server, the proxy) says what its actions are. */
export interface Faulted<Action> {
  match: FaultMatch;
  action: Action;
  /** For a reader of the data file. */
  note?: string;
}

export type FaultData = Faulted<FaultAction>;

/** What of a request a fault may ask for. */
export interface FaultTarget {
  op: OperationName | null;
  key: string;
  part: number;
  endpoint: number;
}

const kinds: Record<FaultAction['do'], readonly string[]> = {
  answer: ['status'],
  reset: ['at'],
  end: ['at'],
  stall: ['at'],
  slow: ['side', 'bytesPerSecond'],
  shortBody: ['bytes'],
  overlongBody: ['bytes', 'counted'],
  wrongRange: ['shift'],
  wrongBytes: ['shift'],
  ignoreRange: [],
  wrongEtag: [],
  corruptBody: ['offset', 'bit'],
  corruptIn: ['offset', 'bit'],
  notStored: [],
  errorIn200: ['code'],
  doneButReset: [],
  expiredToken: [],
  quota: ['status'],
  raw: ['text'],
};
const matchKeys = ['op', 'key', 'part', 'endpoint', 'nth', 'every', 'count'];

/** A typing error in a fault would make a test that cannot fail: everything unknown is refused. */
export function checkFault({ match, action }: FaultData): void {
  const needed = kinds[action?.do];
  if (needed === undefined) throw new TypeError(`no such fault: ${JSON.stringify(action)}`);
  for (const name of needed) if (!(name in action)) throw new TypeError(`fault ${action.do} needs ${name}`);
  if ('at' in action && action.at !== undefined && !points.includes(action.at)) {
    throw new TypeError(`no such point of a request: ${action.at}`);
  }
  checkMatch(match);
}

export function checkMatch(match: FaultMatch): void {
  for (const name of Object.keys(match)) {
    if (!matchKeys.includes(name)) throw new TypeError(`a fault cannot match by ${name}`);
  }
  for (const op of [match.op ?? []].flat()) {
    if (!operationNames.includes(op as OperationName)) throw new TypeError(`no such operation: ${op}`);
  }
}
