/**
 * After a kill, with a new engine on the same store: does it keep what was acknowledged? Looks at the files first, then
 * asks the engine: lists, reads what is complete, resumes and completes what is pending, deletes all of it.
 */
import { lsuDirName } from '../../../engine/image/names.ts';
import type { TestEngine } from '../../support/engine.ts';
import { until } from '../../support/engine-state.ts';
import type { Answer, HostScript } from '../../support/host-program.ts';
import { type ExpectedImage, expectWord, firstDifference, type Plan, writeLines } from './expected-image.ts';
import { readStored, strangers } from './stored-image.ts';

/** What is not gone, or still busy then, stays: for stores as small as the tests' it takes milliseconds. */
const settleMs = 20_000;

interface Listed {
  size: number;
  state: string;
}

/** Nobody holds an image open: all that the dead engine left must go. Says what stayed. */
export async function leftAfterJanitor(store: string): Promise<string[]> {
  const deadline = performance.now() + settleMs;
  await until(() => strangers(store).length === 0 || performance.now() > deadline);
  return strangers(store);
}

/** All problems, in words; none: the store kept its promises. Call it on an engine that was just started. */
export async function judge(engine: TestEngine, host: HostScript, images: readonly ExpectedImage[]): Promise<string[]> {
  const left = (await leftAfterJanitor(engine.store)).map((path) => `left over: ${path}`);
  return [...left, ...(await judgeImages(engine, host, images))];
}

/** As judge, but for what is left over. The images are gone afterwards. */
export async function judgeImages(
  engine: TestEngine,
  host: HostScript,
  images: readonly ExpectedImage[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const lsu of new Set(images.map((image) => image.lsu))) {
    const listed = await listOf(host, lsu);
    const known = images.filter((image) => image.lsu === lsu);
    for (const name of listed.keys()) {
      if (!known.some((image) => image.name === name)) problems.push(`${lsu}/${name} is listed, nobody created it`);
    }
    for (const image of known) {
      const told = await judgeImage(engine, host, image, listed.get(image.name) ?? null);
      problems.push(...told.map((text) => `${lsuDirName(lsu)}/${image.name}: ${text}`));
    }
  }
  return [...problems, ...engine.bugs().map((bug) => `bug in the log: ${JSON.stringify(bug)}`)];
}

async function listOf(host: HostScript, lsu: string): Promise<Map<string, Listed>> {
  const listed = new Map<string, Listed>();
  for (const { name, date } of await namesOf(host, lsu, 'all')) {
    if (listed.has(name)) throw new Error(`${name} is listed twice`);
    const prop = await idle(host, `prop_byname v ${lsu} ${name} ${date}`);
    listed.set(name, { size: Number(prop.size), state: String(prop.state) });
  }
  for (const state of ['complete', 'pending'] as const) {
    const names = (await namesOf(host, lsu, state)).map(({ name }) => name);
    const expected = [...listed].filter(([, image]) => image.state === state).map(([name]) => name);
    if (names.sort().join() !== expected.sort().join())
      throw new Error(`${state} are ${names}, listed as that ${expected}`);
  }
  return listed;
}

async function namesOf(host: HostScript, lsu: string, states: string): Promise<{ name: string; date: number }[]> {
  const answer = await host.call(`list_images v ${lsu} ${states}`);
  if (answer.name === 'STS_ENOENT') return [];
  if (answer.status !== 0) throw new Error(`list_images ${lsu}: ${answer.name}: ${answer.text}`);
  const images = answer.images as { image_hex: string; date: number }[];
  return images.map(({ image_hex, date }) => ({ name: Buffer.from(image_hex, 'hex').toString('latin1'), date }));
}

/**
 * Properties, once no writer holds the image: a request that a killed host program had sent may be read only now, and its
 * writer ends then. One that stays is busy for ever, and shows as that.
 */
async function idle(host: HostScript, line: string): Promise<Answer> {
  const deadline = performance.now() + settleMs;
  let prop = await host.ok(line);
  await until(async () => {
    prop = await host.ok(line);
    return prop.state !== 'busy' || performance.now() > deadline;
  });
  return prop;
}

async function judgeImage(
  engine: TestEngine,
  host: HostScript,
  image: ExpectedImage,
  listed: Listed | null,
): Promise<string[]> {
  if (listed === null) {
    const mayMiss = image.created !== 'yes' || image.deleted !== 'no';
    return mayMiss ? [] : ['was created, and is not listed'];
  }
  if (image.deleted === 'yes') return ['was deleted, and is listed again'];
  if (image.created === 'no') return ['is listed, and was not asked for'];
  const problems = storedProblems(engine.store, image);
  if (listed.state === 'complete' && image.completed === 'no') problems.push('lists as complete, nobody completed it');
  if (listed.state !== 'complete' && image.completed === 'yes')
    problems.push(`was completed, and lists as ${listed.state}`);
  if (listed.state === 'pending') {
    if (listed.size < image.durable) problems.push(`keeps ${listed.size} bytes, ${image.durable} were durable`);
    problems.push(...(await resume(host, image, listed.size)));
  }
  problems.push(...(await readAll(host, image)));
  if (problems.length === 0) problems.push(...storedProblems(engine.store, image));
  await host.call(`delete v ${image.lsu} ${image.name} ${image.date}`);
  return problems;
}

/** By its files alone. Narrows the plans to those that they agree with. */
export function storedProblems(store: string, image: ExpectedImage): string[] {
  const { meta, data, problems } = readStored(store, image.lsu, image.name, image.date);
  if (meta === null) return problems;
  if (meta.state === 'complete' && image.completed === 'no') problems.push('is complete, nobody completed it');
  if (meta.state === 'complete' && meta.size !== image.written) {
    problems.push(`is complete with ${meta.size} bytes, ${image.written} were written`);
  }
  if (meta.state === 'pending' && image.completed === 'yes') problems.push('was completed, and is pending');
  if (meta.size < image.durable) problems.push(`keeps ${meta.size} bytes, ${image.durable} were durable`);
  if (meta.size > image.written) problems.push(`keeps ${meta.size} bytes, ${image.written} were written`);
  const wrong = image.plans.map((plan) => firstDifference(data, meta.size, plan));
  const fitting = image.plans.filter((_, i) => wrong[i] === -1);
  if (fitting.length === 0) problems.push(`the byte at ${wrong.at(-1)} is not what was written`);
  else image.plans = fitting;
  return problems;
}

/** Goes on at the durable size, over a block's border, and completes. */
async function resume(host: HostScript, image: ExpectedImage, durable: number): Promise<string[]> {
  const key = `${image.lsu} ${image.name} ${image.date}`;
  const opened = await host.call(`open_image v again ${key} 2`);
  if (opened.status !== 0) return [`cannot be resumed: ${opened.name}: ${opened.text}`];
  const prop = await host.call('prop again');
  const problems = prop.durable === durable ? [] : [`lists ${durable} bytes, opens with ${prop.durable}`];
  const plan = image.plans.at(-1) as Plan;
  const size = Math.max(image.written, durable) + 1536;
  image.written = size;
  const lines = [...writeLines('again', plan, durable, size), 'close again 1'];
  for (const line of lines) {
    const answer = await host.call(line);
    if (answer.status !== 0) return [...problems, `resumed, ${line}: ${answer.name}: ${answer.text}`];
  }
  image.completed = 'yes';
  image.plans = [plan];
  return problems;
}

async function readAll(host: HostScript, image: ExpectedImage): Promise<string[]> {
  const opened = await host.call(`open_image v r ${image.lsu} ${image.name} ${image.date} 1`);
  if (opened.status !== 0) return [`cannot be read: ${opened.name}: ${opened.text}`];
  const size = image.written;
  const word = expectWord(image.plans.at(-1) as Plan, size);
  const answer = await host.call(`read r 0 ${size + 1} ${size > 0 ? word : ''}`);
  await host.call('close r 0');
  if (answer.status !== 0) return [`read: ${answer.name}: ${answer.text}`];
  if (answer.got !== size) return [`read gave ${answer.got} bytes of ${size}`];
  return size > 0 && answer.match !== true ? [`read differs at ${answer.mismatch_at}`] : [];
}
