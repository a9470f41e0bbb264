/**
 * Where the SDK's requests leave the SDK: it signs, parses answers and errors; the bytes of images never pass through it.
 * A request that carries a slot's bytes has no body as far as the SDK knows, and a transfer beside it.
 */
import { Readable } from 'node:stream';
import type { Piece } from '../http/body.ts';
import type { HttpClient } from '../http/client.ts';

/** Bytes that go beside a request, handed to `client.send` as its options. */
export interface Transfer {
  /** Sent one after the other; the SDK's own body must be missing then. */
  readonly body?: readonly Piece[];
  /** Of the body, hex: the request's signature is made over it. */
  readonly payloadSha256?: string;
  /** The body of a success is received here. */
  readonly into?: Uint8Array;
  readonly signal?: AbortSignal;
}

/** As the SDK makes it (@smithy/types HttpRequest). */
interface SdkRequest {
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

interface SdkResponse {
  statusCode: number;
  reason: string;
  headers: Record<string, string>;
  body: Readable;
}

/** XML of a list of a thousand keys of full length fits. */
const collectMax = 8 * 1024 * 1024;

export class SlotHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #client: HttpClient;

  constructor(client: HttpClient) {
    this.#client = client;
  }

  /** Throws HttpFailure. */
  async handle(request: SdkRequest, transfer: Transfer = {}): Promise<{ response: SdkResponse }> {
    const answer = await this.#client.request({
      method: request.method,
      path: request.path + queryText(request.query),
      headers: request.headers,
      body: transfer.body ?? bodyOf(request.body),
      into: transfer.into ?? null,
      collectMax,
      signal: transfer.signal,
    });
    const { status, reason, headers, body } = answer;
    return { response: { statusCode: status, reason, headers, body: Readable.from(body.length > 0 ? [body] : []) } };
  }

  /** The SDK's own settings for handlers: ours come with the connections. */
  updateHttpClientConfig(): void {}
  httpHandlerConfigs(): Record<string, never> {
    return {};
  }
  destroy(): void {}
}

/** Small things only: XML, metas, sums. */
function bodyOf(body: unknown): readonly Uint8Array[] {
  if (body === undefined || body === null || body === '') return [];
  if (typeof body === 'string') return [Buffer.from(body)];
  if (body instanceof Uint8Array) return [body];
  throw new TypeError('a request of ours has no stream as its body');
}

/** As the signature counts it: RFC 3986, keys in their order. */
function queryText(query: SdkRequest['query']): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      parts.push(one === null ? escaped(key) : `${escaped(key)}=${escaped(one)}`);
    }
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
