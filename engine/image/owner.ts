/**
 * Names of temporaries tell who made them. A name comes into being together with its file or directory, at once: however
 * early the engine dies, the janitor finds whose it was; a text inside would come a moment later.
 *
 *   <token>_<machine id>_<boot id>_<pid namespace>_<pid>_<start time>
 */
import { claimVerdict, type ProcessIdentity } from './claim.ts';

const form = /^[0-9a-f]{1,32}_([0-9a-f]{0,64})_([0-9a-f-]{0,64})_([0-9]{1,15})_([0-9]{1,10})_([0-9]{1,15})$/;

/** The part of a temporary's name behind its prefix. `token`: 32 hex digits, so that no two are alike. */
export function ownedToken(token: string, self: ProcessIdentity): string {
  return [token, self.machineId, self.bootId, self.pidNamespace, self.pid, self.startTime].join('_');
}

/** Null for a name that ownedToken does not make. */
export function ownerOf(token: string): ProcessIdentity | null {
  const found = form.exec(token);
  if (found === null) return null;
  const [, machineId = '', bootId = '', pidNamespace, pid, startTime] = found;
  return { machineId, bootId, pidNamespace: Number(pidNamespace), pid: Number(pid), startTime: Number(startTime) };
}

/** Is the maker of this temporary provably gone? */
export function ownerIsDead(
  token: string,
  self: ProcessIdentity,
  alive: (pid: number, startTime: number) => boolean,
): boolean {
  return claimVerdict(ownerOf(token), self, alive) === 'dead';
}
