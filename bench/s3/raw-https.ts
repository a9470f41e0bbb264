/**
 * The floor of TLS: Node's own https without S3, sums or engine: bodies in slices of 1 MiB from one buffer, or received
 * and dropped, over kept-alive connections of one thread.
 *
 *   raw-https.ts put|get PORT CAFILE CONNECTIONS PARTS BYTES      prints {"bytes", "seconds", "cpu_s"}
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

const [, , direction, port, caFile = '', ...numbers] = process.argv;
const [connections = 1, parts = 1, bytes = 1] = numbers.map(Number);
const slice = Buffer.alloc(1 << 20, 7);
const agent = new Agent({ keepAlive: true, maxSockets: connections, ca: readFileSync(caFile) });
const path = '/bench/floor/https';

async function send(method: string, headers: Record<string, string | number>, body: number): Promise<void> {
  const req = request({ host: '127.0.0.1', servername: 'localhost', port, agent, method, path, headers });
  const answered = once(req, 'response') as Promise<[IncomingMessage]>;
  for (let at = 0; at < body; at += slice.length) {
    const more = req.write(at + slice.length <= body ? slice : slice.subarray(0, body - at));
    // Behind the last one the answer may come first: then nobody tells of the drain any more.
    if (!more && at + slice.length < body) await once(req, 'drain');
  }
  req.end();
  const [res] = await answered;
  res.resume();
  await once(res, 'end');
  if ((res.statusCode ?? 500) >= 300) throw new Error(`${method} ${path}: ${res.statusCode}`);
}

let left = parts;
async function work(): Promise<void> {
  while (left-- > 0) {
    if (direction === 'put') await send('PUT', { 'Content-Length': bytes }, bytes);
    else await send('GET', { Range: `bytes=0-${bytes - 1}` }, 0);
  }
}

if (direction === 'get') await send('PUT', { 'Content-Length': bytes }, bytes);
const before = process.cpuUsage();
const begin = process.hrtime.bigint();
await Promise.all(Array.from({ length: connections }, work));
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${JSON.stringify({ bytes: bytes * parts, seconds, cpu_s: (user + system) / 1e6 })}\n`);
agent.destroy();
