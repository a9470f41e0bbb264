/**
 * What the proxy does to a request, as data. Points of a request at which it can be cut or held:
 *
 *   head ── head read, nothing passed on              in ── after `bytes` bytes of the body
 *   sent ── passed on whole; what the endpoint does with it nobody knows
 *   answered ── the endpoint has done it and answered, nothing of that is told
 *   out ── head of the answer passed on, and `bytes` bytes of its body
 */
import { checkMatch, type Faulted } from '../server/fault-data.ts';

export type ProxyPoint = 'head' | 'in' | 'sent' | 'answered' | 'out';
export const proxyPoints: readonly ProxyPoint[] = ['head', 'in', 'sent', 'answered', 'out'];
export type Side = 'in' | 'out';

export type ProxyAction =
  | { do: 'reset'; at: ProxyPoint; bytes?: number }
  /** The connection ends in good order (FIN). */
  | { do: 'end'; at: ProxyPoint; bytes?: number }
  /** Holds until released, or until the client has gone, then goes on as if nothing had been. */
  | { do: 'stall'; at: ProxyPoint; bytes?: number }
  | { do: 'slow'; side: Side; bytesPerSecond: number }
  /** The answer's last `bytes` bytes never come: the connection ends. */
  | { do: 'shortBody'; bytes: number }
  /** The proxy's own answer; the endpoint hears nothing of the request. */
  | { do: 'answer'; status: number; code: string; retryAfter?: string }
  /** These bytes of the body come twice; it keeps its length, so the last ones are lost. */
  | { do: 'duplicate'; side: Side; offset: number; bytes: number }
  | { do: 'flip'; side: Side; offset: number; bit: number }
  /** Bytes behind the end of the answer, which answer nothing. */
  | { do: 'trailing'; bytes: number };

export type ProxyFault = Faulted<ProxyAction>;

/** Most bytes that are kept to be sent twice. */
export const duplicateBytesMax = 64 * 1024;

const needs: Record<ProxyAction['do'], readonly string[]> = {
  reset: ['at'],
  end: ['at'],
  stall: ['at'],
  slow: ['side', 'bytesPerSecond'],
  shortBody: ['bytes'],
  answer: ['status', 'code'],
  duplicate: ['side', 'offset', 'bytes'],
  flip: ['side', 'offset', 'bit'],
  trailing: ['bytes'],
};

/** A typing error in a fault would make a test that cannot fail: everything unknown is refused. */
export function checkProxyFault({ match, action }: ProxyFault): void {
  const needed = needs[action?.do];
  if (needed === undefined) throw new TypeError(`no such fault: ${JSON.stringify(action)}`);
  for (const name of needed) if (!(name in action)) throw new TypeError(`fault ${action.do} needs ${name}`);
  if ('at' in action && !proxyPoints.includes(action.at)) throw new TypeError(`no such point: ${action.at}`);
  if ('side' in action && action.side !== 'in' && action.side !== 'out') throw new TypeError(`no side: ${action.side}`);
  if (action.do === 'duplicate' && action.bytes > duplicateBytesMax) {
    throw new TypeError(`at most ${duplicateBytesMax} bytes come twice`);
  }
  checkMatch(match);
}
