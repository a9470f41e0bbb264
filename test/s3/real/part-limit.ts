/** In front of a real server: it takes no part number above `partsMax`, as an endpoint with a lower limit than S3's does. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PartLimit extends AsyncDisposable {
  readonly url: string;
}

export async function partLimit(url: string, partsMax: number): Promise<PartLimit> {
  const { hostname, port } = new URL(url);
  const server = createServer((asked, answer) => {
    const part = Number(/[?&]partNumber=(\d+)/.exec(asked.url ?? '')?.[1] ?? 0);
    if (asked.method === 'PUT' && part > partsMax) {
      const text = `<Error><Code>InvalidArgument</Code><Message>at most ${partsMax} parts</Message></Error>`;
      asked.resume().on('end', () => answer.writeHead(400, { 'content-type': 'application/xml' }).end(text));
      return;
    }
    // The Host header stays: it is signed.
    const to = request({ hostname, port, method: asked.method, path: asked.url, headers: asked.headers }, (came) => {
      answer.writeHead(came.statusCode ?? 502, came.rawHeaders);
      came.pipe(answer);
    });
    to.on('error', () => answer.destroy());
    answer.on('close', () => to.destroy());
    asked.pipe(to);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
