/** Several streams write, read and delete images through one proxy while the seed lets faults fall on their requests. */
import { s3Script } from './engine-kit.ts';
import { Rain, type RainKind } from './proxy/rain.ts';
import { backup, gc, mib, type ProxiedServer, restore, retriesTold, startProxied } from './proxy-kit.ts';

const streams = 3;
const perMille = 250;
const sizes = [21 * mib + 1536, 3 * mib + 512, 17 * mib, 8 * mib];

export interface RainResult {
  problems: string[];
  kinds: RainKind[];
}

export async function rainOver(
  server: ProxiedServer,
  { seed, images, retryS = 30 }: { seed: number; images: number; retryS?: number },
): Promise<RainResult> {
  await using run = await startProxied(server, { keys: { parts_in_flight: 3, request_retry_s: retryS } });
  const { engine, proxy } = run;
  {
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
  }
  const rain = new Rain(seed, { perMille, prefix: 'lsu/' });
  proxy.rain = rain;
  const stream = async (n: number): Promise<string[]> => {
    await using host = await s3Script(engine);
    const found: string[] = [];
    try {
      for (let i = 0; i < images; i++) {
        const size = sizes[(n + i) % sizes.length] ?? 0;
        await backup(host, `image-${n}-${i}`, size);
        found.push(await restore(host, `image-${n}-${i}`, size));
        if (i % 2 === 1) await host.ok(`delete v lsu image-${n}-${i} 7`);
      }
    } catch (error) {
      found.push(`stream ${n}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return found;
  };
  const problems = (await Promise.all(Array.from({ length: streams }, (_, n) => stream(n)))).flat().filter(Boolean);
  const hit = proxy.requests.filter(({ fault }) => fault !== null && fault !== 'slow');
  const data = hit.filter(({ key }) => key.endsWith('/image.data'));
  const sent = data.filter(({ op }) => op === 'UploadPart' || op === 'PutObject').length;
  const got = data.filter(({ op }) => op === 'GetObject').length;
  if (problems.length > 0) return { problems, kinds: [] };
  const written = await retriesTold(engine, 'image written', streams * images);
  const read = await retriesTold(engine, 'image read', streams * images);
  // A cut behind the last byte that is needed costs nothing, and the sums' requests count for their image too.
  if (sent > 0 && (written === 0 || written > sent))
    problems.push(`${sent} faults on uploads, ${written} retries told`);
  if (got > 0 && read === 0) problems.push(`${got} faults on reads, ${read} retries told`);
  proxy.rain = null;
  problems.push(...[await gc(engine, server)].filter(Boolean));
  problems.push(...engine.bugs().map((bug) => JSON.stringify(bug)));
  return { problems, kinds: Object.keys(rain.hits) as RainKind[] };
}
