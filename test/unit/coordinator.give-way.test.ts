/** Who goes first: the janitor between lists, lists between the janitor's steps; neither waits for ever. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GiveWay } from '../../engine/coordinator/give-way.ts';

/** Work that ends when it is told to. */
function held(log: string[], name: string) {
  const end = Promise.withResolvers<void>();
  const work = async (): Promise<string> => {
    log.push(name);
    await end.promise;
    return name;
  };
  return { work, end: () => end.resolve(), fail: () => end.reject(new Error(name)) };
}

const patient = { stepMs: 60_000, starvedMs: 60_000, pauseMs: 0 };

test('a list waits for the step under way, and the next step for all lists', async () => {
  const log: string[] = [];
  const way = new GiveWay(patient);
  const [first, second, one, other] = ['step 1', 'step 2', 'list 1', 'list 2'].map((name) => held(log, name));
  const begun = way.step(first.work);
  const lists = [way.list(one.work), way.list(other.work)];
  await turn();
  expect(log).toEqual(['step 1']);
  first.end();
  expect(await begun).toBe('step 1');
  const next = way.step(second.work);
  await turn();
  one.end();
  await lists[0];
  await turn();
  expect(log).toEqual(['step 1', 'list 1', 'list 2']);
  other.end();
  await lists[1];
  await turn();
  expect(log).toEqual(['step 1', 'list 1', 'list 2', 'step 2']);
  second.end();
  await next;
});

test('the janitor does not step in between two calls of a list', async () => {
  const log: string[] = [];
  const way = new GiveWay({ ...patient, pauseMs: 60_000 });
  const [step, one, other] = ['step', 'list 1', 'list 2'].map((name) => held(log, name));
  const first = way.list(one.work);
  one.end();
  await first;
  const next = way.step(step.work);
  await turn();
  expect(log).toEqual(['list 1']);
  const second = way.list(other.work);
  await turn();
  expect(log).toEqual(['list 1', 'list 2']);
  // Nobody has to wait for what is still under way.
  for (const end of [other.end, step.end]) end();
  await second;
  void next;
});

test('the janitor steps in once a list has paused', async () => {
  const way = new GiveWay({ ...patient, pauseMs: 1 });
  await way.list(async () => 'list');
  expect(await way.step(async () => 'step')).toBe('step');
});

test('a failure on one side is its own, and frees the other', async () => {
  const log: string[] = [];
  const way = new GiveWay(patient);
  const [first, second, one] = ['step 1', 'step 2', 'list 1'].map((name) => held(log, name));
  const begun = way.step(first.work);
  const list = way.list(one.work);
  const next = way.step(second.work);
  first.fail();
  one.fail();
  second.end();
  await expect(begun).rejects.toThrow('step 1');
  await expect(list).rejects.toThrow('list 1');
  expect(await next).toBe('step 2');
});

test('what hangs is waited for no longer than it may', async () => {
  const log: string[] = [];
  const way = new GiveWay({ stepMs: 1, starvedMs: 1 });
  const [step, list] = [held(log, 'step'), held(log, 'list')];
  const begun = way.step(step.work);
  const listed = way.list(list.work);
  expect(await way.list(async () => 'another list')).toBe('another list');
  expect(await way.step(async () => 'another step')).toBe('another step');
  step.end();
  list.end();
  await Promise.all([begun, listed]);
});

test('what hangs is waited for once: whoever comes later goes past it', async () => {
  const log: string[] = [];
  const way = new GiveWay({ stepMs: 1, starvedMs: 1, pauseMs: 0 });
  const [step, list, next, later] = ['step', 'list', 'next step', 'next list'].map((name) => held(log, name));
  const hung = [way.step(step.work), way.list(list.work)];
  expect(await way.list(async () => 'one that waits')).toBe('one that waits');
  expect(await way.step(async () => 'one that waits')).toBe('one that waits');
  log.length = 0;
  const others = [way.step(next.work), way.list(later.work)];
  // The new step is one to wait for again; no timer is needed to begin it.
  expect(log).toEqual(['next step']);
  next.end();
  await others[0];
  await turn();
  expect(log).toEqual(['next step', 'next list']);
  for (const one of [step, list, later]) one.end();
  await Promise.all([...hung, ...others]);
});

test('a list goes past a step that another one has waited for', async () => {
  const log: string[] = [];
  const way = new GiveWay({ stepMs: 1 });
  const [step, list] = [held(log, 'step'), held(log, 'list')];
  const hung = way.step(step.work);
  await way.list(async () => undefined);
  const begun = way.list(list.work);
  // Promises settle before any timer fires.
  await Promise.resolve();
  await Promise.resolve();
  expect(log).toEqual(['step', 'list']);
  step.end();
  list.end();
  await Promise.all([hung, begun]);
});
