import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { errno, errnoName, Failed, status, statusName, storeErrno } from '../../engine/core/errors.ts';
import { shipped } from '../sim/transfer-code.ts';
import { checkBackoff } from '../sim/transfer-turns.ts';
import { seed } from '../support/property.ts';

const { classify } = shipped;

describe('retry', () => {
  it(`waits within its bounds, and not for ever (seed ${seed})`, () => checkBackoff(shipped, 300));

  it.each([
    ['ENOSPC', 'failed', 'ENOSPC'],
    ['EDQUOT', 'failed', 'ENOSPC'],
    ['EROFS', 'failed', 'EPERM'],
    ['EACCES', 'failed', 'EPERM'],
    ['EPERM', 'failed', 'EPERM'],
    ['ENOENT', 'failed', 'ENOENT'],
    ['EEXIST', 'failed', 'EEXIST'],
    ['EIO', 'failed', 'ESYSTEM'],
    ['ENODATA', 'failed', 'EDAMAGED'],
    ['ESTALE', 'again', 'ESYSTEM'],
    ['EAGAIN', 'again', 'ESYSTEM'],
    ['ETIMEDOUT', 'again', 'ESYSTEM'],
    ['EMFILE', 'again', 'EBUSY'],
    ['ENOMEM', 'again', 'ENOMEM'],
    ['EBADF', 'bug', 'EINTERNAL'],
    ['EFAULT', 'bug', 'EINTERNAL'],
  ] as const)('%s is %s and told as %s', (name, kind, told) => {
    for (const value of [errno[name], -errno[name]]) {
      const verdict = classify(value);
      expect([verdict.kind, statusName(verdict.status), verdict.errno]).toEqual([kind, told, errno[name]]);
      expect(verdict.text).toContain(`(${name})`);
    }
  });

  it('never tries a sync again, whatever it failed with', () => {
    for (const value of Object.values(errno)) expect(classify(value, { sync: true }).kind).not.toBe('again');
  });

  it('knows what the stores say themselves', () => {
    expect(classify(storeErrno.notMounted)).toMatchObject({ kind: 'failed', status: status.ENOTMOUNTED, errno: 0 });
    expect(classify(storeErrno.sizeDiffers)).toMatchObject({ kind: 'failed', status: status.EDAMAGED, errno: 0 });
  });

  it('has words for a number that nobody knows', () => {
    expect(classify(-999)).toEqual({
      kind: 'failed',
      status: status.ESYSTEM,
      errno: 999,
      text: 'the storage failed (errno 999)',
    });
    expect(() => classify(0)).toThrow('a success is not classified');
  });
});

describe('numbers of failures', () => {
  it('are those of reply-status.h', () => {
    const header = readFileSync(new URL('../../native/wire/reply-status.h', import.meta.url), 'utf8');
    const body = /enum wire_status \{([\s\S]*?)\};/.exec(header)?.[1] ?? '';
    const inHeader = [...body.matchAll(/WIRE_(\w+) = (\d+)/g)].map(([, name, value]) => [name, Number(value)]);
    expect(inHeader.length).toBeGreaterThan(15);
    expect(Object.entries(status)).toEqual(inHeader);
  });

  it('are those of the system', () => {
    const known = constants.errno as Readonly<Record<string, number>>;
    const ours = Object.entries(errno).filter(([name]) => name in known);
    expect(ours.length).toBeGreaterThan(40);
    for (const [name, value] of ours) expect([name, value]).toEqual([name, known[name]]);
  });

  it('have names', () => {
    expect([errnoName(5), errnoName(-5), errnoName(storeErrno.notMounted), statusName(207)]).toEqual([
      'EIO',
      'EIO',
      'not mounted',
      'EDAMAGED',
    ]);
    expect(new Failed(status.ENOSPC, 'full', -28)).toMatchObject({
      status: 203,
      errno: 28,
      text: 'full',
      message: 'full',
    });
  });
});
