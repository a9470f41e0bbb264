/** The engine's main thread makes no file-system call on storage: the kernel's own record of a run says so. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestEngine, testDirectory } from '../support/engine.ts';

function installed(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!installed('strace'))('no call of the main thread names the store (needs strace)', async () => {
  const trace = join(testDirectory(), 'trace');
  const wrapper = ['strace', '-f', '-qq', '-e', 'trace=file,desc', '-e', 'signal=none', '-o', trace];
  await using engine = await TestEngine.start({ wrapper });
  {
    await using host = await engine.script();
    await host.ok('create_lsu v lsu');
    await host.ok('create_image v i lsu image 7');
    await host.ok('write i 0 9M 5');
    await host.ok('close i 1');
    await host.ok('open_image v r lsu image 7 1');
    await host.ok('read r 0 9M expect=5');
    await host.ok('close r 0');
    await host.ok('delete v lsu image 7');
  }
  await engine.stop();
  const lines = readFileSync(trace, 'utf8').split('\n');
  const main = lines[0]?.split(' ')[0];
  const onStore = lines.filter(
    (line) => line.includes('"lsu') || line.includes('image.data') || line.includes(`${engine.store}`),
  );
  expect(onStore.length).toBeGreaterThan(5);
  expect(onStore.filter((line) => line.startsWith(`${main} `) && !line.includes('execve'))).toEqual([]);
});
