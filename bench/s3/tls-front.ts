/**
 * TLS in front of a null server: tls-front.ts PORT CERTIFICATE KEY keep|discard. Prints {"port": N}. Bodies over 1 MiB
 * are decrypted and thrown away here when the null server would only throw them away too; all else passes through.
 */
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

const [, , port, certificate = '', key = '', kind] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
let etags = 0;

function discard(req: IncomingMessage, res: ServerResponse): void {
  req.resume().on('end', () => {
    res.writeHead(200, { ETag: `"${(++etags).toString(16).padStart(32, '0')}"`, 'Content-Length': 0 }).end();
  });
}

function pass(req: IncomingMessage, res: ServerResponse): void {
  const { method, url: path, headers } = req;
  const behind = request({ host: '127.0.0.1', port, agent, method, path, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(res);
  });
  behind.on('error', () => res.destroy());
  req.pipe(behind);
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (req, res) => {
  const large = Number(req.headers['content-length'] ?? 0) > 1 << 20;
  if (kind === 'discard' && req.method === 'PUT' && large) discard(req, res);
  else pass(req, res);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
