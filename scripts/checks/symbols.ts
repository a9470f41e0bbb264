/**
 * Which symbols our libraries ask the system for. A library that was built on a new system must still load on the
 * oldest one we serve, so the versions of what it imports are bounded, whatever the build machine has.
 */
import type { Findings } from './sources.ts';

export interface SymbolRule {
  /** Path of the library from the top directory. */
  file: string;
  /** Highest version of each kind; a kind that is not named is not allowed at all. */
  versions: Record<string, string>;
  /** Libraries that it may need. */
  needed: readonly string[];
  /** What it may export. */
  exports: RegExp;
}

export const symbolRules: SymbolRule[] = [
  ...['libstspiVastData.so', 'libstspiVastDataMT.so'].map((name) => ({
    file: `native/plugin/build/${name}`,
    versions: { GLIBC: '2.17' },
    needed: ['libc.so.6'],
    exports: /^(stsp_\w+|STSP_[\w.]+|VAST_OST[\w.]*)$/,
  })),
  {
    // Node 26 itself asks for glibc 2.28 (RHEL 8); its own symbols (napi_*, OpenSSL's SHA-256) carry no version.
    file: 'native/addon/build/vast_ost_addon.node',
    versions: { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11', GCC: '4.2.0' },
    needed: [
      'libc.so.6',
      'libm.so.6',
      'libpthread.so.0',
      'libdl.so.2',
      'ld-linux-x86-64.so.2',
      'ld-linux-aarch64.so.1',
    ],
    exports: /^(napi_register_module_v1|node_api_module_get_api_version_v1|_init|_fini)$/,
  },
];

/** Compares 2.9 with 2.17 as versions are compared. */
function later(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number));
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return false;
}

/** `table`: what `objdump -T` prints; `header`: what `objdump -p` prints. */
export function symbolFaults(rule: SymbolRule, table: string, header: string): Findings {
  const found: Findings = [];
  for (const line of table.split('\n')) {
    const imported = /\*UND\*\s+[0-9a-f]+\s+\(?([A-Za-z]+)_([0-9.]+)\)?\s+(\S+)$/.exec(line);
    if (imported) {
      const [, kind, version, name] = imported;
      const most = rule.versions[kind];
      if (most === undefined || later(version, most)) {
        found.push(
          `${rule.file}: ${name} asks for ${kind}_${version}; at most ${most ? `${kind}_${most}` : 'none'} is served`,
        );
      }
      continue;
    }
    const exported = /^[0-9a-f]+ [gwu ].{6} \S+\t[0-9a-f]+\s+(?:\S+\s+)?(\S+)$/.exec(line);
    if (exported && !line.includes('*UND*') && !rule.exports.test(exported[1])) {
      found.push(`${rule.file}: exports ${exported[1]}, which is not part of its interface`);
    }
  }
  for (const [, library] of header.matchAll(/^\s*NEEDED\s+(\S+)$/gm)) {
    if (!rule.needed.includes(library)) found.push(`${rule.file}: needs ${library}`);
  }
  return found;
}
