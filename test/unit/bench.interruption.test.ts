import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { runProgram } from '../../bench/subjects/programs.ts';
import { Interruption } from '../../bench/workplace/interruption.ts';

type Name = 'SIGTERM' | 'SIGHUP';

/** As the signal would, but for the test runner's own listeners. */
function ours(name: Name, before: readonly unknown[]): () => void {
  const [listener] = process.listeners(name).filter((one) => !before.includes(one));
  return () => (listener as NodeJS.SignalsListener)(name);
}

test('a signal that comes twice at once is one; later, or of another name, it is a second one', () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
  try {
    for (const [second, afterMs, ends] of [
      ['SIGTERM', 100, false],
      ['SIGTERM', 1000, true],
      ['SIGHUP', 100, true],
    ] as const) {
      exit.mockClear();
      let nowMs = 0;
      const told: string[] = [];
      const before = { SIGTERM: process.listeners('SIGTERM'), SIGHUP: process.listeners('SIGHUP') };
      using interruption = new Interruption(
        () => ['left'],
        (line) => void told.push(line),
        () => nowMs,
      );
      ours('SIGTERM', before.SIGTERM)();
      expect(interruption.signal.reason).toMatchObject({ message: 'interrupted by SIGTERM', code: 143 });
      nowMs = afterMs;
      ours(second, before[second])();
      expect(exit).toHaveBeenCalledTimes(ends ? 1 : 0);
      expect(told.at(-1) === 'left').toBe(ends);
    }
  } finally {
    exit.mockRestore();
  }
});

test('a script of npm ends in order when the shell that started it is killed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vast-ost-orphan-'));
  try {
    const script = join(directory, 'waits.ts');
    writeFileSync(
      script,
      "process.on('SIGTERM', () => { console.log('ended in order'); process.exit(0); });\nsetInterval(() => undefined, 1000);\nconsole.log('runs');\n",
    );
    // As npm does it: a shell between, which does not hand on what kills it.
    const run = join(import.meta.dirname, '../../scripts/run.mjs');
    const shell = spawn('sh', ['-c', `'${process.execPath}' '${run}' '${script}'; true`], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, npm_lifecycle_event: 'bench' },
    });
    let said = '';
    const closed = once(shell.stdout, 'close');
    for await (const chunk of shell.stdout.iterator({ destroyOnReturn: false })) {
      said += String(chunk);
      if (said.includes('runs')) break;
    }
    shell.kill('SIGKILL');
    shell.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    await closed;
    expect(said).toContain('ended in order');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('who is interrupted while it waits for its time says so in one line, and leaves nothing', async () => {
  const target = mkdtempSync(join(tmpdir(), 'vast-ost-waiting-'));
  try {
    const bench = join(import.meta.dirname, '../../bench/run.ts');
    const args = ['--micro-only', '--start-at', '+600', '--target', target, '--out', target];
    const child = spawn(process.execPath, [bench, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += String(chunk);
      if (said.includes('waiting until') && !child.killed) child.kill('SIGINT');
    });
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(said).toMatch(/\nvast-ost bench: ended early: interrupted by SIGINT; nothing was measured [^\n]*\n$/);
    expect(readdirSync(target)).toEqual([]);
  } finally {
    rmSync(target, { recursive: true });
  }
});

/** As fio does it: `script` runs in a session of its own. The pipe is closed when the last of its processes has ended. */
async function endedWithAllOfIt(pipe: string, script: string): Promise<void> {
  const controller = new AbortController();
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  const ended = runProgram(controller.signal, 'sh', ['-c', `setsid sh -c '${script}' >'${pipe}' & wait`]);
  const reader = createReadStream(pipe);
  await once(reader, 'data');
  const closed = once(reader, 'end');
  controller.abort(new Error('over'));
  await expect(ended).rejects.toThrow('over');
  await closed;
}

test('a program that is ended takes its children with it, also those with a session of their own', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vast-ost-tree-'));
  try {
    await endedWithAllOfIt(join(directory, 'pipe'), 'echo runs; exec sleep 600');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('so does one whose children start others at this moment', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vast-ost-tree-'));
  try {
    // Once may go well by chance.
    for (let round = 0; round < 8; round++) {
      const starts = 'echo runs; i=0; while [ $i -lt 300 ]; do sleep 100 & i=$((i+1)); done; wait';
      await endedWithAllOfIt(join(directory, `pipe-${round}`), starts);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
