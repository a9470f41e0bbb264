/** Checks that read files as text: length, paths of a machine, hosts of a registry, the lock file. */
import type { Findings, Source } from './sources.ts';

export const linesMax = 400;

/** Files that are longer, each with its reason. A reason that has gone must go from here too. */
export const longFiles: Record<string, string> = {};

export function tooLong(files: Source[], reasons: Record<string, string> = longFiles): Findings {
  const found: Findings = [];
  for (const { path, text } of files) {
    const lines = text.split('\n').length - 1;
    if (lines > linesMax && !(path in reasons))
      found.push(`${path}: ${lines} lines, above ${linesMax}: split it, or give its reason`);
    if (lines <= linesMax && path in reasons)
      found.push(`${path}: ${lines} lines: its reason for being long is no longer needed`);
  }
  return found;
}

/** Directories that belong to one machine. A leading letter means part of a longer path or a name. */
const machinePath = /(?<![\w.${}-])\/(?:work|farm|root|home\/[a-z]+|tmp)\/[\w.-]+/;

/** `hosts`: registry hosts that must not stand in the project. */
export function machineTraces(files: Source[], hosts: string[]): Findings {
  const found: Findings = [];
  for (const { path, text } of files) {
    text.split('\n').forEach((line, index) => {
      const trace = machinePath.exec(line)?.[0] ?? hosts.find((host) => line.includes(host));
      if (trace !== undefined) found.push(`${path}:${index + 1}: names a place of one machine: ${trace}`);
    });
  }
  return found;
}

interface LockedPackage {
  resolved?: string;
  link?: boolean;
  hasInstallScript?: boolean;
  integrity?: string;
}

/** No dependency may run a script at installation, come from a named host, or come without its hash. */
export function lockFaults(lockText: string): Findings {
  const { packages } = JSON.parse(lockText) as { packages: Record<string, LockedPackage> };
  const found: Findings = [];
  for (const [path, entry] of Object.entries(packages)) {
    if (entry.hasInstallScript) found.push(`package-lock.json: ${path} wants to run an install script`);
    if (entry.resolved?.includes('://')) found.push(`package-lock.json: ${path} names a host: ${entry.resolved}`);
    if (path.startsWith('node_modules/') && !entry.link && !entry.integrity) {
      found.push(`package-lock.json: ${path} has no integrity hash`);
    }
  }
  return found;
}
