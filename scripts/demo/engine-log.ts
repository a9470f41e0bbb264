/** The engine's own account of each image, from its log: one summary line for each image written or read. */
import { readFileSync } from 'node:fs';

export interface EngineAccount {
  /** CPU seconds of the lanes for this image, a GB. */
  written: number | null;
  read: number | null;
}

interface SummaryLine {
  msg?: string;
  image?: string;
  cpuSPerGb?: number;
}

/** `image`: 'lsu/basename~date', as the log names it. Null where the log says nothing. */
export function engineAccount(logFile: string, image: string): EngineAccount {
  const account: EngineAccount = { written: null, read: null };
  for (const line of readFileSync(logFile, 'utf8').split('\n')) {
    if (!line.includes('cpuSPerGb')) continue;
    const summary = JSON.parse(line) as SummaryLine;
    if (summary.image !== image || typeof summary.cpuSPerGb !== 'number') continue;
    if (summary.msg === 'image written') account.written = summary.cpuSPerGb;
    if (summary.msg === 'image read') account.read = summary.cpuSPerGb;
  }
  return account;
}
