/** The native sources, looked at once more by the compiler with warnings that the builds leave out as errors. */
import { join } from 'node:path';
import { capture, top } from '../steps.ts';
import { type Findings, sources } from './sources.ts';

const common = [
  '-fsyntax-only',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wshadow',
  '-Wformat=2',
  '-D_GNU_SOURCE',
  '-DOPENSSL_SUPPRESS_DEPRECATED',
];
const include = [
  'native/wire',
  'native/plugin/include',
  'native/plugin',
  'native/addon',
  'node_modules/node-addon-api',
  `node_modules/node-linux-${process.arch}/include/node`,
];
const languages = [
  { ending: '.c', compiler: 'gcc', flags: ['-std=c11', '-Wstrict-prototypes', '-Wmissing-prototypes'] },
  {
    ending: '.cc',
    compiler: 'g++',
    flags: ['-std=c++17', '-fno-exceptions', '-DNAPI_VERSION=8', '-DNAPI_DISABLE_CPP_EXCEPTIONS'],
  },
];

export function nativeWarnings(): Findings {
  // Headers that are not ours come in as system headers: their warnings are not ours either.
  const search = include.flatMap((dir) => [dir.startsWith('node_modules') ? '-isystem' : '-I', join(top, dir)]);
  return languages.flatMap(({ ending, compiler, flags }) => {
    const files = sources([ending]).filter(({ path }) => path.startsWith('native/'));
    return files.flatMap(({ path }) => {
      const result = capture(compiler, [...common, ...flags, ...search, path]);
      return result.status === 0 ? [] : [`${path}:\n${result.stderr.trim()}`];
    });
  });
}
