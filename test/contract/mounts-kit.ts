/**
 * One store that several "mounts" lead to: links, which the storage shim tells from each other, so that one can hang or
 * fail and the others not. No rights to mount are needed.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ranked } from '../../engine/transfer/spread.ts';
import { Shim } from '../fault/shim/shim.ts';
import { configText, type EngineOptions, TestEngine, testDirectory } from '../support/engine.ts';
import type { HostScript } from '../support/host-program.ts';
import { clear } from './faults-kit.ts';

export interface MountsOptions {
  config?: NonNullable<EngineOptions['config']>;
  /** Of all the links there are: those in mount_points. */
  names?: readonly string[];
  /** Those of VastData:other, a second storage server; none: there is no such. */
  others?: readonly string[];
  /** Called before the engine starts. */
  prepare?: (directory: string) => void;
}

const mib = 1 << 20;
const links = ['a', 'b', 'c'];

export class MountsEngine implements AsyncDisposable {
  readonly engine: TestEngine;
  readonly directory: string;
  #shim: Shim;
  readonly #config: NonNullable<EngineOptions['config']>;

  private constructor(engine: TestEngine, shim: Shim, directory: string, config: NonNullable<EngineOptions['config']>) {
    this.engine = engine;
    this.directory = directory;
    this.#shim = shim;
    this.#config = config;
  }

  static async start({ config = {}, names = ['a', 'b'], others = [], prepare }: MountsOptions = {}) {
    const directory = testDirectory();
    mkdirSync(join(directory, 'store'));
    for (const name of links) symlinkSync('store', join(directory, name));
    prepare?.(directory);
    const shim = new Shim(directory, 'calls');
    const env = shim.env(join(directory, 'store'), 'engine/main.ts', links);
    const all = { ...config, ...mountPoints(directory, names, others) };
    const engine = await TestEngine.start({ directory, config: all, env });
    return new MountsEngine(engine, shim, directory, config);
  }

  get shim(): Shim {
    return this.#shim;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** The next process of the engine, with these mounts, under a shim without a past. */
  async launch(names: readonly string[], others: readonly string[] = []): Promise<void> {
    this.#shim.close();
    this.#shim = new Shim(this.directory, 'calls');
    const all = { ...this.#config, ...mountPoints(this.directory, names, others) };
    writeFileSync(this.engine.config, configText(this.directory, all));
    await this.engine.launch();
  }

  /** The `nth` image of LSU `lsu`, date 7, that belongs to `best` among it and `others`. */
  imageOf(best: string, others: readonly string[], nth = 0): string {
    return this.imageWhere((image) => this.bestFor(image, [best, ...others]) === best, nth);
  }

  bestFor(image: string, names: readonly string[]): string {
    const [best] = ranked(
      `lsu/${image}~7`,
      names.map((name) => this.path(name)),
    );
    return names[best as number] as string;
  }

  imageWhere(isIt: (image: string) => boolean, nth = 0): string {
    let found = -1;
    for (let i = 0; ; i++) {
      if (isIt(`image${i}`)) found++;
      if (found === nth) return `image${i}`;
    }
  }

  /** Per name of a link: how its mount stands. */
  async states(): Promise<Record<string, string>> {
    const { mounts } = await this.engine.status();
    return Object.fromEntries(mounts.map(({ root, state }) => [root.slice(this.directory.length + 1), state]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clear(this.#shim);
    await this.engine[Symbol.asyncDispose]();
    this.#shim.close();
    if (!process.env.VAST_OST_KEEP) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** No default, and a storage server that the scripts of TestEngine open. */
function mountPoints(
  directory: string,
  names: readonly string[],
  others: readonly string[],
): NonNullable<EngineOptions['config']> {
  const listed = (links: readonly string[]) => ({
    mount_points: links.map((name) => join(directory, name)).join(', '),
  });
  return {
    general: { nfs_mount_point: null },
    'server:test': listed(names),
    ...(others.length > 0 ? { 'server:other': listed(others) } : {}),
  };
}

export async function expectImage(host: HostScript, image: string, seed = 3): Promise<void> {
  await host.ok(`open_image v r lsu ${image} 7 read`);
  expect(await host.ok(`read r 0 ${mib} expect=${seed}`)).toMatchObject({ got: mib, match: true });
  await host.ok('close r 1');
}

/** Paths of all calls of this name, each with the name of the link that led to it in front. */
export function pathsOf(mounts: MountsEngine, call: string): string[] {
  return mounts.shim.readLog().flatMap((line) => (line.kind === 'begin' && line.name === call ? [line.path] : []));
}

/** The mount that an image's claim names. */
export function claimedAt({ directory }: MountsEngine, image: string): string | undefined {
  const dir = join(directory, 'store/lsu', `${image}~7`);
  const [claim] = readdirSync(dir).filter((name) => name.startsWith('claim.'));
  return (JSON.parse(readFileSync(join(dir, claim as string), 'utf8')) as { mount?: string }).mount;
}
