/** The null servers of the S3 part, in processes of their own: bare, and behind TLS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';

export const bucket = 'bench';
/** What signs the requests: the null server checks no signature. */
export const credentials = {
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench-secret',
  AWS_REGION: 'us-east-1',
};
const fixtures = join(import.meta.dirname, '../../test/s3/fixtures');
export const caFile = join(fixtures, 'ca.pem');

export interface NullServer {
  readonly port: number;
  /** Of the same objects, by https. */
  readonly tlsPort: number;
  stop(): void;
}

async function started(command: string, args: string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [string];
  return { child, port: (JSON.parse(line) as { port: number }).port };
}

/** Its bucket has the store's marker, as an administrator would have made it by `vast-ost init-store`. */
export async function startNullServer(options: { keep: boolean }): Promise<NullServer> {
  const bare = await started(join(import.meta.dirname, 'build/null-server'), options.keep ? ['--keep'] : []);
  const front = await started(process.execPath, [
    join(import.meta.dirname, 'tls-front.ts'),
    String(bare.port),
    join(fixtures, 'server.pem'),
    join(fixtures, 'server.key'),
    options.keep ? 'keep' : 'discard',
  ]);
  const { status } = await fetch(`http://127.0.0.1:${bare.port}/${bucket}/.vast-ost-store`, {
    method: 'PUT',
    body: Buffer.from(encodeMarker(newMarker(new Date(0)))),
  });
  if (status !== 200) throw new Error(`null server: PUT of the marker answered ${status}`);
  return {
    port: bare.port,
    tlsPort: front.port,
    stop: () => {
      front.child.kill();
      bare.child.kill();
    },
  };
}
