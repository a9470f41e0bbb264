/** What the built addon asks of the system that loads it: glibc 2.28 (RHEL 8) and no C++ library. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const path =
  process.env.VAST_OST_ADDON ?? new URL('../../native/addon/build/vast_ost_addon.node', import.meta.url).pathname;
const objdump = (option: string) => spawnSync('objdump', [option, path], { encoding: 'utf8' });
const missing = objdump('-T').error !== undefined;

/** Symbols of the dynamic table, as `objdump -T` prints them: flags, section, size, version, name. */
function symbols(): { undefinedHere: boolean; version: string; name: string }[] {
  const rows = objdump('-T').stdout.split('\n');
  return rows.flatMap((row) => {
    const match = /^[0-9a-f]{8,} .{7} (\S+)\s+[0-9a-f]+\s+(?:\(?([\w.]+)\)?\s+)?(?:\.hidden )?(\S+)$/.exec(row);
    return match ? [{ undefinedHere: match[1] === '*UND*', version: match[2] ?? '', name: match[3]! }] : [];
  });
}
const newer = (version: string, than: [number, number]): boolean => {
  const [major = 0, minor = 0] = version.replace('GLIBC_', '').split('.').map(Number);
  return major > than[0] || (major === than[0] && minor > than[1]);
};

describe.skipIf(missing)(`symbols of the addon${missing ? ' (skipped: no objdump)' : ''}`, () => {
  it('are no newer than glibc 2.28', () => {
    const versions = symbols().filter(({ version }) => version.startsWith('GLIBC_'));
    expect(versions.length).toBeGreaterThan(30);
    expect(versions.filter(({ version }) => newer(version, [2, 28]))).toEqual([]);
    expect(newer('GLIBC_2.34', [2, 28])).toBe(true);
  });

  it('need no C++ library', () => {
    expect(symbols().filter(({ version, name }) => /GLIBCXX|CXXABI/.test(version) || /^_Z/.test(name))).toEqual([]);
    const needed = [...objdump('-p').stdout.matchAll(/NEEDED\s+(\S+)/g)].map((match) => match[1]!);
    expect(needed.filter((name) => !/^(libc\.so\.6|ld-linux.*|libpthread\.so\.0)$/.test(name))).toEqual([]);
  });

  it('are exported to Node alone', () => {
    const own = symbols().filter(({ undefinedHere, name }) => !undefinedHere && !name.startsWith('Base'));
    expect(own.map(({ name }) => name).sort()).toEqual([
      'napi_register_module_v1',
      'node_api_module_get_api_version_v1',
    ]);
  });

  it('reach storage by the plain names that a counting shim replaces', () => {
    const asked = new Set(
      symbols()
        .filter((symbol) => symbol.undefinedHere)
        .map(({ name }) => name),
    );
    for (const name of ['openat64', 'pwrite64', 'pread64', 'fsync', 'fdatasync', 'ftruncate64', 'renameat', 'linkat']) {
      expect(asked, name).toContain(name);
    }
    expect([...asked].filter((name) => name.endsWith('_chk'))).toEqual([]);
  });
});
