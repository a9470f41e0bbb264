import { expect, test } from 'vitest';
import { type ProcessIdentity, readIdentity } from '../../engine/image/claim.ts';
import { ownedToken, ownerIsDead, ownerOf } from '../../engine/image/owner.ts';
import { checkToken } from '../../workers/layout.ts';

const self: ProcessIdentity = {
  machineId: '0123456789abcdef0123456789abcdef',
  bootId: '01234567-89ab-cdef-0123-456789abcdef',
  pidNamespace: 4026531836,
  pid: 4194304,
  startTime: 123456789012,
};
const token = 'f'.repeat(32);
const owned = (changes: Partial<ProcessIdentity> = {}) => ownedToken(token, { ...self, ...changes });
const lives = () => true;
const isGone = () => false;

test('a name gives its maker back, and is one that the store takes', () => {
  for (const owner of [self, readIdentity(), { ...self, machineId: '', bootId: '' }]) {
    const name = ownedToken(token, owner);
    expect(ownerOf(name)).toEqual(owner);
    expect(checkToken(name)).toBe(name);
    expect(`.claim-${name}`.length).toBeLessThan(255);
  }
});

test('a maker is dead when its process is gone or its boot is over, and not otherwise', () => {
  expect(ownerIsDead(owned({ pid: 7 }), self, isGone)).toBe(true);
  expect(ownerIsDead(owned({ bootId: '0badf00d' }), self, lives)).toBe(true);
  expect(ownerIsDead(owned({ pid: 7 }), self, lives)).toBe(false);
  expect(ownerIsDead(owned(), self, isGone)).toBe(false);
  expect(ownerIsDead(owned({ machineId: 'ab', pid: 7 }), self, isGone)).toBe(false);
  expect(ownerIsDead(owned({ pidNamespace: 1, pid: 7 }), self, isGone)).toBe(false);
});

test('other names have no maker, and nobody is dead for them', () => {
  for (const name of ['', token, `${token}_`, owned().replace('_', '-'), `${owned()}_1`, owned().toUpperCase()]) {
    expect(ownerOf(name)).toBeNull();
    expect(ownerIsDead(name, self, isGone)).toBe(false);
  }
});
