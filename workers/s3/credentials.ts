/**
 * The credentials file of a bucket: as AWS writes it, section [default]. It is looked at with every request and read when
 * it has changed, so that keys are rotated without a restart. What is in it reaches no text, log or process but this one.
 */
import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** When the SDK asks again: at once. */
  expiration: Date;
}

/** There are none that could be used; the text says which file and why, never what is in it. */
export class CredentialsError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'CredentialsProviderError';
  }
}

const fileBytesMax = 64 * 1024;
const othersMask = 0o077;

/** A file that is being written anew is empty for a moment: what was read before counts for so long, milliseconds. */
const graceMs = 10_000;

export class CredentialsFile {
  readonly #path: string;
  #seen = '';
  #known: Omit<Credentials, 'expiration'> | null = null;
  #goodUntil = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws CredentialsError. */
  async read(): Promise<Credentials> {
    try {
      if (this.#known === null || seenOf(await stat(this.#path)) !== this.#seen) await this.#readAnew();
      this.#goodUntil = performance.now() + graceMs;
    } catch (error) {
      const told = error instanceof CredentialsError ? error : this.#unreadable(error);
      if (this.#known === null || performance.now() > this.#goodUntil) throw told;
    }
    return { ...(this.#known as Omit<Credentials, 'expiration'>), expiration: new Date() };
  }

  /** What is judged is what is read: the file that the name stands for may become another one in between. */
  async #readAnew(): Promise<void> {
    const file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      const uid = process.geteuid?.() ?? 0;
      if (!found.isFile()) throw new CredentialsError(`${this.#path} is no file`);
      if ((found.mode & othersMask) !== 0) throw new CredentialsError(`${this.#path} is open to others: chmod 600 it`);
      if (found.uid !== uid && found.uid !== 0) {
        throw new CredentialsError(`${this.#path} belongs to user ${found.uid}: it must be user ${uid} or root`);
      }
      if (found.size > fileBytesMax) throw new CredentialsError(`${this.#path} is no credentials file: too long`);
      this.#known = parseCredentials(await file.readFile('utf8'), this.#path);
      this.#seen = seenOf(found);
    } finally {
      await file.close();
    }
  }

  #unreadable(error: unknown): CredentialsError {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return new CredentialsError(`credentials_file ${this.#path} cannot be read: ${code}`);
  }
}

function seenOf({ ino, mtimeMs, ctimeMs, size }: Stats): string {
  return [ino, mtimeMs, ctimeMs, size].join();
}

/** Throws CredentialsError. */
export function parseCredentials(text: string, path: string): Omit<Credentials, 'expiration'> {
  const values = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line);
    if (header !== null) section = header[1] ?? '';
    const entry = /^\s*([A-Za-z_]+)\s*=\s*(\S+)\s*$/.exec(line);
    if (entry !== null && section === 'default') values.set((entry[1] ?? '').toLowerCase(), entry[2] ?? '');
  }
  const accessKeyId = values.get('aws_access_key_id') ?? '';
  const secretAccessKey = values.get('aws_secret_access_key') ?? '';
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new CredentialsError(`${path} has no [default] with aws_access_key_id and aws_secret_access_key`);
  }
  const sessionToken = values.get('aws_session_token');
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}
