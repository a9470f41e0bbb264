import { describe, expect, it } from 'vitest';
import { findMount, parseMountInfo, refusal, warningsOf } from '../../workers/file/mounts.ts';

const text = [
  '24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard',
  '40 24 0:41 / /mnt/vast rw,relatime shared:20 master:3 - nfs 10.0.0.1:/backup rw,vers=3,rsize=1048576,wsize=1048576,namlen=255,hard,nconnect=8,proto=tcp',
  '41 24 0:42 / /mnt/with\\040blank rw - nfs4 10.0.0.1:/b rw,vers=4.1,rsize=262144,wsize=65536,soft,acregmin=0,acregmax=0,acdirmin=0,acdirmax=0',
  '42 40 0:43 / /mnt/vast rw,noatime - nfs 10.0.0.2:/backup rw,softerr,noac',
  'a line that is none',
  '',
].join('\n');
const entries = parseMountInfo(text);

describe('mountinfo', () => {
  it('gives place, type and all options of each mount', () => {
    expect(entries.map(({ mountPoint, fsType }) => [mountPoint, fsType])).toEqual([
      ['/', 'ext4'],
      ['/mnt/vast', 'nfs'],
      ['/mnt/with blank', 'nfs4'],
      ['/mnt/vast', 'nfs'],
    ]);
    expect(entries[0].options).toBe('rw,relatime,rw,discard');
  });

  it('finds the mount that holds a path: the deepest, and of several on one place the last', () => {
    expect(findMount(entries, '/mnt/vast')).toBe(entries[3]);
    expect(findMount(entries, '/mnt/vast/store')).toBe(entries[3]);
    expect(findMount(entries, '/mnt/vaster')).toBe(entries[0]);
    expect(findMount(entries, '/mnt/with blank/x')).toBe(entries[2]);
    expect(findMount([], '/mnt')).toBeNull();
  });

  it('refuses soft NFS mounts, by name', () => {
    expect(refusal(entries[2])).toContain("'soft'");
    expect(refusal(entries[3])).toContain("'softerr'");
    expect([refusal(entries[0]), refusal(entries[1])]).toEqual([null, null]);
    expect(refusal({ mountPoint: '/', fsType: 'ext4', options: 'soft' })).toBeNull();
  });

  it('warns of attribute caching and of small requests', () => {
    expect(warningsOf(entries[0])).toEqual([]);
    expect(warningsOf(entries[1])).toEqual([expect.stringContaining('acregmax=60, acdirmax=60')]);
    expect(warningsOf(entries[2])).toEqual([
      expect.stringContaining('rsize=262144'),
      expect.stringContaining('wsize=65536'),
    ]);
    expect(warningsOf(entries[3])).toEqual([]);
    const one = { mountPoint: '/m', fsType: 'nfs', options: 'acregmax=0,acdirmax=30' };
    expect(warningsOf(one)).toEqual([expect.stringContaining('(acdirmax=30)')]);
  });
});
