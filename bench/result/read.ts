/** Results from files, which anybody may have written: what is wrong names file and field. */
import { readFileSync, statSync } from 'node:fs';
import { ZodError } from 'zod';
import { type Result, resultSchema, schemaName } from './schema.ts';
import { printable } from './text.ts';

/** Somebody gave a file that cannot be used; the text is for him, as it is. */
export class ResultFileError extends Error {
  override readonly name = 'ResultFileError';
}

const bytesMax = 512 << 20;
const faultsMax = 5;

function fault(path: readonly PropertyKey[], message: string): string {
  const field = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return `${field.replace(/^\./, '') || 'the whole'}: ${message}`;
}

export function parseResult(text: string, name: string): Result {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ResultFileError(
      `${name}: not JSON (${printable((error as Error).message)}): give a result that the bench wrote`,
    );
  }
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (typeof schema === 'string' && schema !== schemaName && schema.startsWith('vast-ost-bench/'))
    throw new ResultFileError(
      `${name}: schema: ${printable(schema.slice(0, 40))} is of another version, this one reads ${schemaName}: run the bench again`,
    );
  try {
    return resultSchema.parse(value);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    const faults = error.issues.slice(0, faultsMax).map(({ path, message }) => fault(path, message));
    const more = error.issues.length > faultsMax ? `; and ${error.issues.length - faultsMax} more` : '';
    throw new ResultFileError(`${name}: no result of the bench (${schemaName}): ${faults.join('; ')}${more}`);
  }
}

export function readResult(path: string): Result {
  let text: string;
  try {
    const stat = statSync(path);
    // What is no file may have no end, or no beginning: a pipe, a device.
    if (!stat.isFile())
      throw new ResultFileError(`${path}: that is no file: give a result (JSON) that the bench wrote`);
    const { size } = stat;
    if (size > bytesMax)
      throw new ResultFileError(`${path}: ${size} bytes are more than a result may have (${bytesMax})`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ResultFileError) throw error;
    throw new ResultFileError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  return parseResult(text, path);
}
