/**
 * A client that signs by itself and can do everything wrong: what proves that the test server looks. It shares no code
 * with the server, on purpose.
 */
import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

export interface Ask {
  method?: string;
  /** Key, or '' for the bucket; encoded here. */
  key?: string;
  /** In place of /bucket/key. */
  path?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Sent, but left out of the signature. */
  unsignedHeaders?: Record<string, string>;
  body?: Uint8Array | string;
  /** x-amz-content-sha256: the digest of the body where it is not given. */
  payload?: string;
  accessKeyId?: string;
  secretAccessKey?: string;
  region?: string;
  /** Milliseconds since 1970: now where it is not given. */
  time?: number;
  /** Changes the finished request just before it goes out. */
  tamper?(headers: Record<string, string>): void;
  /** Bucket in the host name. */
  isVirtualHost?: boolean;
  ca?: string;
  agent?: http.Agent;
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  text: string;
  /** S3's code of an error, '' without. */
  code: string;
}

export interface Target {
  url: string;
  bucket: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export async function ask(target: Target, what: Ask = {}): Promise<Answer> {
  const { url, options, body } = prepare(target, what);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = (url.protocol === 'https:' ? https : http).request(options, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = bytes.toString('utf8');
      const code = /<Error>.*?<Code>([^<]*)<\/Code>/s.exec(text)?.[1] ?? '';
      resolve({ status: response.statusCode!, headers: response.headers, body: bytes, text, code });
    });
  });
  request.on('error', reject);
  request.end(body);
  return promise;
}

export interface Received {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** How it ended: '' well. */
  error: string;
}

/** Like ask, but tells what had come when the connection broke. */
export function askBroken(target: Target, what: Ask): Promise<Received> {
  const { promise, resolve } = Promise.withResolvers<Received>();
  const { options, body: sent } = prepare(target, what);
  const chunks: Buffer[] = [];
  let status = 0;
  let headers: http.IncomingHttpHeaders = {};
  const end = (error: string) => resolve({ status, headers, body: Buffer.concat(chunks), error });
  const request = http.request(options, (response) => {
    status = response.statusCode!;
    headers = response.headers;
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    response.on('end', () => end(''));
  });
  request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  request.end(sent);
  return promise;
}

/** What goes to http.request, signed. */
export function prepare(
  { url: origin, bucket, credentials }: Target,
  what: Ask,
): { url: URL; options: https.RequestOptions; body: Buffer } {
  const url = new URL(origin);
  const body = Buffer.from(what.body ?? '');
  const onPath = what.isVirtualHost ? '' : `/${bucket}`;
  const key = what.key === undefined || what.key === '' ? '' : `/${what.key.split('/').map(encode).join('/')}`;
  const path = what.path ?? (`${onPath}${key}` || '/');
  const query = Object.entries(what.query ?? {})
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const stamp = new Date(what.time ?? Date.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const method = what.method ?? 'GET';
  const headers: Record<string, string> = {
    host: what.isVirtualHost ? `${bucket}.s3.localhost:${url.port}` : url.host,
    'x-amz-date': stamp,
    'x-amz-content-sha256': what.payload ?? createHash('sha256').update(body).digest('hex'),
    ...what.headers,
  };
  if (method === 'PUT' || method === 'POST') headers['content-length'] ??= String(body.length);
  const names = Object.keys(headers).sort();
  const scope = `${stamp.slice(0, 8)}/${what.region ?? 'us-east-1'}/s3/aws4_request`;
  const canonical = [
    method,
    path,
    query,
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n');
  const text = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
  const secret = what.secretAccessKey ?? credentials.secretAccessKey;
  const signingKey = scope.split('/').reduce<Buffer | string>((up, step) => hmac(up, step), `AWS4${secret}`);
  const signature = hmac(signingKey, text).toString('hex');
  const accessKeyId = what.accessKeyId ?? credentials.accessKeyId;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  Object.assign(headers, what.unsignedHeaders);
  what.tamper?.(headers);
  return {
    url,
    body,
    options: {
      method,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: query === '' ? path : `${path}?${query}`,
      headers,
      ...(what.agent === undefined ? {} : { agent: what.agent }),
      ...(what.ca === undefined ? {} : { ca: what.ca }),
    },
  };
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

export function md5Base64(bytes: Uint8Array | string): string {
  return createHash('md5').update(bytes).digest('base64');
}
