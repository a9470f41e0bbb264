/** Runs `vast-ost` inside the test's process, with its output collected. */
import { runCli } from '../../cli/program.ts';

/** What the commands take for the present. */
export const cliNow = new Date('2026-03-01T00:00:00Z');

export async function runVastOst(...args: string[]) {
  const out: Buffer[] = [];
  const errors: string[] = [];
  const code = await runCli(args, '1.2.3', {
    out: async (chunk) => void out.push(Buffer.from(chunk)),
    fail: (line) => void errors.push(line),
    env: {},
    now: () => cliNow,
  });
  const bytes = Buffer.concat(out);
  return { code, bytes, text: bytes.toString(), errors: errors.join('\n') };
}
