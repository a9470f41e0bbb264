/** A real engine whose bucket is reached through faulty proxies. */
import { runVastOst } from '../support/cli.ts';
import type { TestEngine } from '../support/engine.ts';
import { until } from '../support/engine-state.ts';
import type { HostScript } from '../support/host-program.ts';
import { type S3EngineOptions, startS3Engine } from './engine-kit.ts';
import { S3Proxy } from './proxy/proxy.ts';

export const mib = 1 << 20;
export const dataSeed = 5;

/** What a proxy stands in front of: ours, versitygw, MinIO. */
export type ProxiedServer = S3EngineOptions['server'] & { readonly url: string };

export interface Proxied extends AsyncDisposable {
  readonly engine: TestEngine;
  readonly proxies: readonly S3Proxy[];
  readonly proxy: S3Proxy;
}

export async function startProxied(
  server: ProxiedServer,
  {
    count = 1,
    keys,
    config,
  }: { count?: number; keys?: S3EngineOptions['keys']; config?: S3EngineOptions['config'] } = {},
): Promise<Proxied> {
  const proxies = await Promise.all(Array.from({ length: count }, () => S3Proxy.start(server)));
  const stop = (): Promise<unknown> => Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  const endpoints = proxies.map(({ url }) => url).join(', ');
  const engine = await startS3Engine({ server, endpoints, keys, config }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    engine,
    proxies,
    proxy: proxies[0] as S3Proxy,
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await stop();
    },
  };
}

export async function backup(host: HostScript, image: string, size: number): Promise<void> {
  await host.ok(`create_image v i lsu ${image} 7`);
  if (size > 0) await host.ok(`write i 0 ${size} ${dataSeed}`);
  await host.ok('close i 1');
}

/** What is wrong with it; '': every bit is as it was. */
export async function restore(host: HostScript, image: string, size: number): Promise<string> {
  await host.ok(`open_image v r lsu ${image} 7 1`);
  const answer = await host.call(`read r 0 ${size + mib} expect=${dataSeed}`);
  await host.ok('close r 0');
  const good = answer.status === 0 && answer.got === size && answer.match === true;
  return good ? '' : `${image}: ${JSON.stringify(answer)}`;
}

/** `vast-ost gc` of all that no image owns: an answer that was swallowed may have begun an upload that nobody knows. */
export async function gc({ config }: TestEngine, { credentials }: ProxiedServer): Promise<string> {
  process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey;
  const { code, errors } = await runVastOst('gc', 's3', '--config', config, '--older-than', '0s');
  return code === 0 ? '' : `gc: ${errors}`;
}

type Summary = 'image written' | 'image read';

/** The first `count` summary lines of this kind; they come a little later than the answers. */
export async function summaries(engine: TestEngine, msg: Summary, count: number): Promise<Record<string, unknown>[]> {
  const lines = (): Record<string, unknown>[] => engine.log().filter((line) => line.msg === msg);
  await until(() => lines().length >= count);
  return lines().slice(0, count);
}

/** Retries that stand in them. */
export async function retriesTold(engine: TestEngine, msg: Summary, count: number): Promise<number> {
  return (await summaries(engine, msg, count)).reduce((sum, { retries }) => sum + Number(retries), 0);
}
