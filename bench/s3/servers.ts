/** The null servers of the S3 part, in processes of their own: bare, and behind TLS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeMarker, newMarker } from '../../engine/image/marker.ts';

export const bucket = 'bench';
/** What signs the requests: the null server checks no signature. */
export const credentials = {
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench-secret',
  AWS_REGION: 'us-east-1',
};
const fixtures = join(import.meta.dirname, 'fixtures');
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

export interface BareServer {
  readonly port: number;
  readonly endpoint: string;
  stop(): void;
}

/**
 * By plain http, on this machine's loopback or on an address of a network namespace. Its bucket has the store's marker, as
 * an administrator would have made it by `vast-ost init-store`.
 */
export async function startBareServer(
  keep: boolean,
  network: { namespace: string; address: string } | null = null,
): Promise<BareServer> {
  const program = join(import.meta.dirname, 'build/null-server');
  const kept = keep ? ['--keep'] : [];
  const { child, port } =
    network === null
      ? await started(program, kept)
      : await started('ip', ['netns', 'exec', network.namespace, program, '--listen', network.address, ...kept]);
  const endpoint = `http://${network?.address ?? '127.0.0.1'}:${port}`;
  const { status } = await fetch(`${endpoint}/${bucket}/.vast-ost-store`, {
    method: 'PUT',
    body: Buffer.from(encodeMarker(newMarker(new Date(0)))),
  });
  if (status !== 200) throw new Error(`null server: PUT of the marker answered ${status}`);
  return { port, endpoint, stop: () => void child.kill() };
}

/** Bare, and the same objects behind TLS. */
export async function startNullServer({ keep }: { keep: boolean }): Promise<NullServer> {
  const bare = await startBareServer(keep);
  const front = await started(process.execPath, [
    fileURLToPath(new URL('./tls-front.ts', import.meta.url)),
    String(bare.port),
    join(fixtures, 'server.pem'),
    join(fixtures, 'server.key'),
    keep ? 'keep' : 'discard',
  ]);
  return {
    port: bare.port,
    tlsPort: front.port,
    stop: () => {
      front.child.kill();
      bare.stop();
    },
  };
}
