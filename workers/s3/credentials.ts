/**
 * The credentials file of a bucket: as AWS writes it, section [default]. It is looked at with every request and read when
 * it has changed, so that keys are rotated without a restart. What is in it reaches no text, log or process but this one.
 */
import { readFile, stat } from 'node:fs/promises';

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

export class CredentialsFile {
  readonly #path: string;
  #seen = '';
  #known: Omit<Credentials, 'expiration'> | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws CredentialsError. */
  async read(): Promise<Credentials> {
    const found = await stat(this.#path).catch((error: NodeJS.ErrnoException) => {
      throw new CredentialsError(`credentials_file ${this.#path} cannot be read: ${error.code ?? 'unknown'}`);
    });
    const seen = [found.ino, found.mtimeMs, found.size].join();
    if (this.#known === null || seen !== this.#seen) {
      const uid = process.geteuid?.() ?? 0;
      if ((found.mode & othersMask) !== 0) throw new CredentialsError(`${this.#path} is open to others: chmod 600 it`);
      if (found.uid !== uid && found.uid !== 0) {
        throw new CredentialsError(`${this.#path} belongs to user ${found.uid}: it must be user ${uid} or root`);
      }
      if (found.size > fileBytesMax) throw new CredentialsError(`${this.#path} is no credentials file: too long`);
      this.#known = parseCredentials(await readFile(this.#path, 'utf8'), this.#path);
      this.#seen = seen;
    }
    return { ...this.#known, expiration: new Date() };
  }
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
