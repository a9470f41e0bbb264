/** The test server's lists: order, prefixes, pages, encodings; compared with the plainest reading of what they promise. */
import { expect, test } from 'vitest';
import { Random, seed } from '../support/addon-kit.ts';
import { type Answer, ask } from './raw-client.ts';
import { S3Server } from './server/server.ts';

interface Listed {
  keys: string[];
  prefixes: string[];
  token: string | undefined;
  answer: Answer;
}

async function list(server: S3Server, query: Record<string, string> = {}): Promise<Listed> {
  const answer = await ask(server, { query: { 'list-type': '2', ...query } });
  const all = (pattern: RegExp) => [...answer.text.matchAll(pattern)].map((match) => match[1]!);
  return {
    keys: all(/<Contents><Key>([^<]*)/g),
    prefixes: all(/<CommonPrefixes><Prefix>([^<]*)/g),
    token: all(/<NextContinuationToken>([^<]*)/g)[0],
    answer,
  };
}

test('keys come in the order of their bytes, encoded when asked', async () => {
  await using server = await S3Server.start();
  // As UTF-16 words the last two would change places.
  const keys = ['a', 'a b', 'a+b', 'a/b', 'ä', '\uff5e', '\u{1f600}'];
  for (const key of keys.toReversed()) server.plant(key, Buffer.from(key));
  expect(server.keys()).toEqual(keys);
  expect((await list(server)).keys).toEqual(keys);
  const encoded = await list(server, { 'encoding-type': 'url' });
  expect(encoded.keys.slice(0, 5)).toEqual(['a', 'a+b', 'a%2Bb', 'a/b', '%C3%A4']);
  expect((await list(server, { 'encoding-type': 'hex' })).answer.code).toBe('InvalidArgument');
});

test('every page of any prefix, delimiter and size is what a plain reading gives', async () => {
  await using server = await S3Server.start();
  const random = new Random(seed);
  const names = new Set<string>();
  while (names.size < 120) {
    const length = 1 + random.below(6);
    names.add(Array.from({ length }, () => 'ab/é'[random.below(4)]!).join(''));
  }
  for (const name of names) server.plant(name, Buffer.from('x'));
  const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (let round = 0; round < 60; round++) {
    const prefix = ['', 'a', 'a/', 'é', 'zz', '/'][random.below(6)]!;
    const delimiter = ['', '/', 'b', '/a'][random.below(4)]!;
    const startAfter = random.below(3) === 0 ? sorted[random.below(sorted.length)]! : '';
    const size = 1 + random.below(9);
    const expected = new Set<string>();
    for (const name of sorted) {
      if (!name.startsWith(prefix) || Buffer.compare(Buffer.from(name), Buffer.from(startAfter)) <= 0) continue;
      const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
      expected.add(cut < 0 ? `k:${name}` : `p:${name.slice(0, cut + delimiter.length)}`);
    }
    const query: Record<string, string> = { prefix, delimiter, 'max-keys': String(size), 'start-after': startAfter };
    const found: string[] = [];
    for (let pages = 0; ; pages++) {
      const page = await list(server, query);
      const count = page.keys.length + page.prefixes.length;
      expect(page.answer.text).toContain(`<KeyCount>${count}</KeyCount>`);
      found.push(...page.keys.map((key) => `k:${key}`), ...page.prefixes.map((key) => `p:${key}`));
      if (page.token === undefined) break;
      expect(count).toBe(size);
      expect(pages).toBeLessThan(200);
      query['continuation-token'] = page.token;
    }
    const what = { prefix, delimiter, startAfter, size };
    expect({ what, found: found.sort() }).toEqual({ what, found: [...expected].sort() });
  }
});

test('no page is longer than the server allows; zero keys are no page', async () => {
  await using server = await S3Server.start({ limits: { listMax: 5 } });
  for (let i = 0; i < 12; i++) server.plant(`k${String(i).padStart(2, '0')}`, Buffer.from('x'));
  expect((await list(server)).keys.length).toBe(5);
  expect((await list(server, { 'max-keys': '1000' })).keys.length).toBe(5);
  expect(await list(server, { 'max-keys': '0' })).toMatchObject({ keys: [], token: undefined });
  expect((await list(server, { 'max-keys': '-1' })).answer.code).toBe('InvalidArgument');
  expect((await list(server, { 'continuation-token': 'nonsense' })).answer.code).toBe('InvalidArgument');
});

test('a list goes on where it was, though keys come and go meanwhile', async () => {
  await using server = await S3Server.start();
  for (const key of ['b', 'd', 'f', 'h']) server.plant(key, Buffer.from('x'));
  const first = await list(server, { 'max-keys': '2' });
  server.uproot('d');
  server.plant('a', Buffer.from('x'));
  server.plant('e', Buffer.from('x'));
  const second = await list(server, { 'continuation-token': first.token! });
  expect([first.keys, second.keys]).toEqual([
    ['b', 'd'],
    ['e', 'f', 'h'],
  ]);
});

test('unfinished uploads are listed by key and age, by prefix, in pages', async () => {
  await using server = await S3Server.start();
  const ids: Record<string, string> = {};
  for (const name of ['x/b#1', 'x/a#1', 'x/b#2', 'y#1', 'x/b#3']) {
    const { text } = await ask(server, { method: 'POST', key: name.split('#')[0], query: { uploads: '' } });
    ids[/<UploadId>([^<]+)/.exec(text)![1]!] = name;
  }
  const page = async (query: Record<string, string>) => {
    const { text } = await ask(server, { query: { uploads: '', ...query } });
    const found = [...text.matchAll(/<Upload><Key>([^<]*)<\/Key><UploadId>([^<]*)/g)].map((match) => ids[match[2]!]);
    const markers = [/<NextKeyMarker>([^<]*)/.exec(text)?.[1], /<NextUploadIdMarker>([^<]*)/.exec(text)?.[1]];
    const prefixes = [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)/g)].map((match) => match[1]);
    return { found, markers, prefixes };
  };
  const order = ['x/a#1', 'x/b#1', 'x/b#2', 'x/b#3', 'y#1'];
  expect((await page({})).found).toEqual(order);
  expect((await page({ prefix: 'x/b' })).found).toEqual(order.slice(1, 4));
  expect(await page({ delimiter: '/' })).toMatchObject({ found: ['y#1'], prefixes: ['x/'] });
  const all: (string | undefined)[] = [];
  let query: Record<string, string> = { 'max-uploads': '2' };
  for (let pages = 0; pages < 3; pages++) {
    const { found, markers } = await page(query);
    all.push(...found);
    query = { 'max-uploads': '2', 'key-marker': markers[0] ?? '', 'upload-id-marker': markers[1] ?? '' };
  }
  expect(all).toEqual(order);
});

test('100,000 keys: a page costs what is on it', async () => {
  await using server = await S3Server.start();
  const count = 100_000;
  for (let i = 0; i < count; i++) server.plant(`i/${String(i).padStart(6, '0')}/meta`, Buffer.from('x'));
  const first = await list(server, { prefix: 'i/', delimiter: '/' });
  expect([first.prefixes.length, first.prefixes[0], first.prefixes.at(-1)]).toEqual([1000, 'i/000000/', 'i/000999/']);
  const last = await list(server, { prefix: 'i/', delimiter: '/', 'start-after': 'i/099990/meta' });
  expect(last.prefixes.length).toBe(9);
});

test('the bucket tells where it is', async () => {
  await using server = await S3Server.start({ region: 'eu-1' });
  const asked = await ask(server, { region: 'eu-1', query: { location: '' } });
  expect(asked.text).toContain('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-1</Location');
  server.options.location = 'N/A';
  expect((await ask(server, { region: 'eu-1', query: { location: '' } })).text).toContain('>N/A<');
});
