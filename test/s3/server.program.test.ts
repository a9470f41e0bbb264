/** The test server as a program: says where it is, takes a fault file, ends with its input. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { ask } from './raw-client.ts';

const program = new URL('server/main.ts', import.meta.url).pathname;

test('the server runs as a program', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vast-ost-s3-program-'));
  const faults = join(dir, 'faults.json');
  writeFileSync(faults, '[{"match": {"op": "HeadBucket", "nth": 1}, "action": {"do": "quota", "status": 507}}]');
  const child = spawn(process.execPath, [program, '{"mode": "vast-like", "buckets": ["b"]}', faults], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { endpoints, bucket, credentials } = JSON.parse(line);
    const target = { url: endpoints[0], bucket, credentials };
    expect(bucket).toBe('b');
    expect((await ask(target, { method: 'HEAD' })).status).toBe(507);
    expect((await ask(target, { method: 'HEAD' })).status).toBe(200);
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  }
});
