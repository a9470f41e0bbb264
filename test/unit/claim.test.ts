import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SweepItem } from '../../engine/core/store.ts';
import {
  type ClaimContent,
  claimVerdict,
  decodeClaim,
  encodeClaim,
  processAlive,
  processStartTime,
  readIdentity,
} from '../../engine/image/claim.ts';
import { isCondemned } from '../../engine/image/condemned.ts';
import { check } from '../support/property.ts';

const self = { machineId: 'a1', bootId: 'b0-1', pidNamespace: 40, pid: 100, startTime: 5000 };
const claim: ClaimContent = { ...self, token: '0123456789abcdef0123456789abcdef' };
const never = () => {
  throw new Error('nobody asks the kernel here');
};

describe('claim text', () => {
  test('comes back, and is the same text each time', () => {
    expect(decodeClaim(encodeClaim(claim))).toEqual(claim);
    expect(encodeClaim({ ...claim })).toBe(encodeClaim(claim));
  });

  test('of one of several mounts it names that, in ASCII', () => {
    const mounted = { ...claim, mount: '/mnt/"vast" ä' };
    expect(decodeClaim(encodeClaim(mounted))).toEqual(mounted);
    expect(encodeClaim(mounted)).toMatch(/^[ -~]+\n$/);
    expect(encodeClaim({ ...claim, mount: `/${'x'.repeat(600)}` })).toBe(encodeClaim(claim));
    for (const wrong of ['1', '"mnt"', '""', '"/a\\u0000"', `"/${'x'.repeat(600)}"`]) {
      const text = encodeClaim({ ...claim, mount: '/m' }).replace('"/m"', wrong);
      expect(decodeClaim(text), wrong).toBeNull();
    }
  });

  test.each([
    '',
    '{}',
    '[]',
    'null',
    '1',
    encodeClaim(claim).slice(0, -3),
    encodeClaim(claim).replace('"format":1', '"format":2'),
    encodeClaim(claim).replace('"pid":100', '"pid":-1'),
    encodeClaim(claim).replace('"pid":100', '"pid":1.5'),
    encodeClaim(claim).replace('"pid":100,', ''),
    encodeClaim(claim).replace('"pid":100', '"pid":100,"more":1'),
    encodeClaim(claim).replace('0123', 'xyz'),
    `${encodeClaim(claim)}${' '.repeat(1024)}`,
  ])('%j is no claim', (text) => {
    expect(decodeClaim(text)).toBeNull();
  });

  test('whatever text comes, the decoder answers', () => {
    check(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(decodeClaim(text)).toBeNull();
      }),
      500,
    );
  });
});

describe("a dead writer's claim", () => {
  const item = (content: ClaimContent): SweepItem => {
    const text = encodeClaim(content);
    return { path: 'i~1/claim.1', kind: 'claim', token: '', claim: text, claims: [{ n: 1, text }], modifiedAt: 0 };
  };
  const dead = { ...claim, pid: 200 };
  const judge = { self, alive: () => false, now: 1e9, ownerlessAgeS: 1, byHand: false, severalMounts: false };

  test('is cleaned away', () => {
    expect(isCondemned(item(dead), judge)).toBe(true);
    expect(isCondemned(item(claim), judge)).toBe(false);
    expect(isCondemned(item(dead), { ...judge, alive: () => true })).toBe(false);
  });

  test('is kept while it tells the mount where its writes may be under way still', () => {
    expect(isCondemned(item({ ...dead, mount: '/a' }), judge)).toBe(false);
    expect(isCondemned(item(dead), { ...judge, severalMounts: true })).toBe(false);
    const before = { ...dead, bootId: 'b0-0' };
    expect(isCondemned(item({ ...before, mount: '/a' }), judge)).toBe(true);
    expect(isCondemned(item(before), { ...judge, severalMounts: true })).toBe(true);
  });
});

describe('is the owner of a claim dead?', () => {
  const living = (pid: number, startTime: number) => pid === 200 && startTime === 7;
  test.each<[string, Partial<ClaimContent> | null, 'ours' | 'dead' | 'busy']>([
    ['this process', {}, 'ours'],
    ['a living process', { pid: 200, startTime: 7 }, 'busy'],
    ['a process that is gone', { pid: 201 }, 'dead'],
    ['a pid that came again', { pid: 200, startTime: 6 }, 'dead'],
    ['our pid, another start', { startTime: 4999 }, 'dead'],
    ['this machine before its last boot', { bootId: 'b0-0' }, 'dead'],
    ['the same before its last boot, in another namespace', { bootId: 'b0-0', pidNamespace: 41 }, 'dead'],
    ['another pid namespace', { pidNamespace: 41, pid: 201 }, 'busy'],
    ['another machine', { machineId: 'a2', pid: 201 }, 'busy'],
    ['another machine, another boot', { machineId: 'a2', bootId: 'b0-9' }, 'busy'],
    ['a machine without an id', { machineId: '' }, 'busy'],
    ['a boot that nobody knows', { bootId: '' }, 'busy'],
    ['a text that cannot be read', null, 'busy'],
  ])('%s: %j is %s', (_, changes, verdict) => {
    expect(claimVerdict(changes && { ...claim, ...changes }, self, living)).toBe(verdict);
  });

  test('a machine without an id holds nobody for dead', () => {
    const nameless = { ...self, machineId: '' };
    expect(claimVerdict({ ...claim, machineId: '' }, nameless, never)).toBe('busy');
    expect(claimVerdict({ ...claim, bootId: 'x' }, { ...self, bootId: '' }, never)).toBe('busy');
  });
});

describe('processes', () => {
  test('this one lives, under its start time only', () => {
    const { pid, startTime, bootId, pidNamespace } = readIdentity();
    expect(pid).toBe(process.pid);
    expect(startTime).toBeGreaterThan(0);
    expect(bootId).toMatch(/^[0-9a-f-]{36}$/);
    expect(pidNamespace).toBeGreaterThan(0);
    expect(processAlive(pid, startTime)).toBe(true);
    expect(processAlive(pid, startTime + 1)).toBe(false);
  });

  test('a child lives until it is killed; an odd command name does not confuse', async () => {
    const child = spawn('sh', ['-c', 'echo ready; read line'], { argv0: 'a) b (c', stdio: ['pipe', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    const pid = child.pid as number;
    const startTime = processStartTime(pid) as number;
    expect(processAlive(pid, startTime)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(processAlive(pid, startTime)).toBe(false);
  });

  test('in doubt a process lives', () => {
    expect(processAlive(0, 1)).toBe(true);
    expect(processAlive(-1, 1)).toBe(true);
  });
});
