/** What /proc/self/mountinfo says about the mount that holds the storage root. Pure: the text comes in. */

export interface MountEntry {
  mountPoint: string;
  fsType: string;
  /** Per-mount options, then those of the file system, as the kernel writes them. */
  options: string;
}

/** Fields of a line: id, parent, major:minor, root, mount point, options, tags …, '-', type, source, options. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ');
    if (right === undefined) continue;
    const before = left.split(' ');
    const [fsType, , fsOptions = ''] = right.split(' ');
    if (before.length < 6) continue;
    entries.push({
      mountPoint: unescapeOctal(before[4]),
      fsType,
      options: [before[5], fsOptions].filter(Boolean).join(','),
    });
  }
  return entries;
}

/** Blanks, tabs, newlines and backslashes of a path are octal there. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The mount that holds an absolute path without links; of several on one place the last one, which hides the others. */
export function findMount(entries: readonly MountEntry[], path: string): MountEntry | null {
  let best: MountEntry | null = null;
  for (const entry of entries) {
    const { mountPoint } = entry;
    const holds = path === mountPoint || mountPoint === '/' || path.startsWith(`${mountPoint}/`);
    if (holds && (best === null || mountPoint.length >= best.mountPoint.length)) best = entry;
  }
  return best;
}

export function isNfs(fsType: string): boolean {
  return fsType === 'nfs' || fsType === 'nfs4';
}

export function optionsOf(text: string): Map<string, string> {
  return new Map(
    text.split(',').map((option) => {
      const at = option.indexOf('=');
      return at < 0 ? [option, ''] : [option.slice(0, at), option.slice(at + 1)];
    }),
  );
}

/** Why this mount must not be used, or null. */
export function refusal(mount: MountEntry): string | null {
  if (!isNfs(mount.fsType)) return null;
  const options = optionsOf(mount.options);
  const soft = ['soft', 'softerr'].find((name) => options.has(name));
  if (soft === undefined) return null;
  return `${mount.mountPoint} is mounted with '${soft}', which gives up writes silently: mount it with 'hard'`;
}

const transferBytesGood = 1_048_576;
/** What the kernel takes, and does not show, when an option is not given. */
const attributeSecondsDefault = 60;

export function warningsOf(mount: MountEntry): string[] {
  if (!isNfs(mount.fsType)) return [];
  const options = optionsOf(mount.options);
  const warnings: string[] = [];
  for (const name of ['rsize', 'wsize']) {
    const bytes = Number(options.get(name) ?? transferBytesGood);
    if (bytes < transferBytesGood) {
      warnings.push(`${mount.mountPoint}: ${name}=${bytes} makes many small requests; ${name}=1048576 is better`);
    }
  }
  const cached = ['acregmax', 'acdirmax'].filter(
    (name) => !options.has('noac') && Number(options.get(name) ?? attributeSecondsDefault) > 0,
  );
  if (cached.length > 0) {
    const text = cached.map((name) => `${name}=${options.get(name) ?? attributeSecondsDefault}`).join(', ');
    warnings.push(
      `${mount.mountPoint}: attributes are cached (${text}): what other machines do is seen that much later; ` +
        `mount with 'noac' where several media servers share an LSU`,
    );
  }
  return warnings;
}
