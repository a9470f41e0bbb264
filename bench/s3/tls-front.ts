/**
 * TLS in front of a null server: tls-front.ts PORT CERTIFICATE KEY keep|discard. Prints {"port": N}. Bodies over 1 MiB
 * are decrypted and thrown away here when the null server would only throw them away too; all else passes through.
 */
import { readFileSync } from 'node:fs';
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

const [, , port, certificate = '', key = '', kind] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** The null server hears of it as `null-size`: so many bytes, not sent. */
function discard(req: IncomingMessage, res: ServerResponse): void {
  const size = req.headers['content-length'];
  req.resume().on('end', () => {
    const path = `${req.url}${req.url?.includes('?') ? '&' : '?'}null-size=${size}`;
    forward({ method: 'PUT', path, headers: { 'content-length': 0 } }, res).end();
  });
}

function pass(req: IncomingMessage, res: ServerResponse): void {
  const { method, url: path, headers } = req;
  req.pipe(forward({ method, path, headers }, res));
}

function forward(options: RequestOptions, res: ServerResponse): ClientRequest {
  const behind = request({ host: '127.0.0.1', port, agent, ...options }, (answer) => {
    res.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(res);
  });
  behind.on('error', () => res.destroy());
  return behind;
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (req, res) => {
  const large = Number(req.headers['content-length'] ?? 0) > 1 << 20;
  if (kind === 'discard' && req.method === 'PUT' && large) discard(req, res);
  else pass(req, res);
});
// The bench holds the other end: it ends with it.
process.stdin.resume().on('end', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
