/** How long an endpoint that failed is left alone. */
import { expect, test } from 'vitest';
import { Endpoints } from '../../workers/s3/endpoints.ts';

const address = (host: string) => ({ protocol: 'http', host, port: 80 }) as const;
const small = 100;

function two() {
  const clock = { now: 0 };
  const endpoints = new Endpoints(
    { endpoints: [address('a'), address('b')] },
    () => null,
    () => clock.now,
  );
  return { clock, endpoints, begin: () => endpoints.begin(new Set(), small) };
}

test('requests that were under way together and fail together count as one failure', () => {
  const { clock, endpoints, begin } = two();
  const begun = Array.from({ length: 16 }, begin);
  for (const endpoint of begun) {
    if (endpoint.origin.includes('//a')) endpoints.failed(endpoint, small, true, 'reset');
    else endpoints.answered(endpoint, small);
  }
  const [a] = endpoints.all;
  expect(a).toMatchObject({ healthy: false, failures: 8, restMs: 500, restsUntil: 500 });
  clock.now = 501;
  expect(begin().origin).toContain('//a');
});

test('the rest is longer each time that it is asked in vain, and ends with an answer', () => {
  const { clock, endpoints, begin } = two();
  const rests: number[] = [];
  for (let i = 0; i < 8; i++) {
    let endpoint = begin();
    while (!endpoint.origin.includes('//a')) {
      endpoints.answered(endpoint, small);
      endpoint = begin();
    }
    endpoints.failed(endpoint, small, true, 'refused');
    rests.push(endpoint.restMs);
    clock.now = endpoint.restsUntil + 1;
  }
  expect(rests).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  let endpoint = begin();
  while (!endpoint.origin.includes('//a')) {
    endpoints.answered(endpoint, small);
    endpoint = begin();
  }
  endpoints.answered(endpoint, small);
  expect(endpoint).toMatchObject({ healthy: true, problem: '', restMs: 0, restsUntil: 0 });
});
