/** An engine killed in the middle of an upload, the image resumed by the next one, and every byte counted at the proxy. */
import { until } from '../support/engine-state.ts';
import { s3Script } from './engine-kit.ts';
import type { S3Proxy } from './proxy/proxy.ts';
import { dataSeed, mib, type ProxiedServer, restore, startProxied } from './proxy-kit.ts';

const partMib = 8;
const partsInFlight = 2;
const slotBytes = (partsInFlight + 2) * partMib * mib;
const size = 109 * mib + 512;
/** A tail of less than a part, sums, metas, claims. */
const smallBytes = 8 * mib;

export interface ResumeResult {
  problems: string[];
  /** Bytes of the image's objects that went up, by both engines. */
  sent: number;
  durable: number;
}

/** Bytes of bodies that went up for the image, cut ones included. */
function bytesUp({ requests }: S3Proxy): number {
  const ours = requests.filter(({ key, op }) => key.startsWith('lsu/') && (op === 'UploadPart' || op === 'PutObject'));
  return ours.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
}

export async function resumeOver(server: ProxiedServer): Promise<ResumeResult> {
  await using run = await startProxied(server, {
    keys: { part_size_mb: partMib, parts_in_flight: partsInFlight },
  });
  const { engine, proxy } = run;
  const problems: string[] = [];
  {
    await using host = await s3Script(engine);
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok(`write i 0 ${80 * mib} ${dataSeed}`);
    // It dies with parts on their way, each cut at another place.
    const held = proxy.faults.add({ match: { op: 'UploadPart' }, action: { do: 'stall', at: 'in', bytes: 2 * mib } });
    const rest = host.call(`write i ${80 * mib} ${24 * mib} ${dataSeed}`).catch(() => null);
    await held.stalled(partsInFlight);
    await engine.kill();
    await rest;
    // What the dead engine had given to its kernel still comes.
    proxy.faults.clear();
    await until(() => proxy.requestsAtOnce === 0);
  }
  const before = bytesUp(proxy);
  await engine.launch();
  await using host = await s3Script(engine);
  await host.ok('open_image v i lsu image 7 2');
  const { durable } = (await host.ok('prop i')) as unknown as { durable: number };
  await host.ok(`write i ${durable} ${size - durable} ${dataSeed}`);
  await host.ok('close i 1');
  const sent = bytesUp(proxy);
  const again = sent - before - (size - durable);
  if (durable < 80 * mib - 2 * slotBytes) problems.push(`only ${durable} bytes were durable`);
  if (again > smallBytes) problems.push(`the second engine sent ${again} bytes more than what was not durable`);
  if (sent - size > slotBytes + smallBytes) problems.push(`${sent} bytes went up for an image of ${size}`);
  problems.push(await restore(host, 'image', size));
  problems.push(...engine.bugs().map((bug) => JSON.stringify(bug)));
  return { problems: problems.filter(Boolean), sent, durable };
}
