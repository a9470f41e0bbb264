/** The credentials file while it is replaced under a running engine. */
import { spawnSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CredentialsError, CredentialsFile } from '../../workers/s3/credentials.ts';
import { testDirectory } from '../support/engine.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = testDirectory();
  path = join(directory, 'credentials');
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

function write(key: string, to = path): void {
  const text = `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`;
  writeFileSync(to, text, { mode: 0o600 });
}

test('a file that is written anew ends no job: the key before counts for some seconds, then it is told', async () => {
  write('FIRST');
  const file = new CredentialsFile(path);
  expect(await file.read()).toMatchObject({ accessKeyId: 'FIRST' });
  for (const half of ['', '[default]\naws_access_key_id = SEC']) {
    writeFileSync(path, half);
    expect(await file.read()).toMatchObject({ accessKeyId: 'FIRST' });
  }
  rmSync(path);
  expect(await file.read()).toMatchObject({ accessKeyId: 'FIRST' });
  write('SECOND', `${path}.new`);
  renameSync(`${path}.new`, path);
  expect(await file.read()).toMatchObject({ accessKeyId: 'SECOND' });
  writeFileSync(path, '');
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + 60_000);
  await expect(file.read()).rejects.toThrow(CredentialsError);
});

test('what is no file is not waited for', async () => {
  expect(spawnSync('mkfifo', ['-m', '600', path]).status).toBe(0);
  await expect(new CredentialsFile(path).read()).rejects.toThrow(/is no file/);
});
