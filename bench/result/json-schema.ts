/** The JSON Schema of results for whoever reads them with other tools: `node scripts/run.mjs bench/result/json-schema.ts` writes it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { resultSchema, schemaName } from './schema.ts';

export const jsonSchemaFile = join(import.meta.dirname, '../../docs/bench-result.schema.json');

/** As files have it: what a reader fills in (default) may be missing. */
export function jsonSchema(): string {
  const schema = z.toJSONSchema(resultSchema, { io: 'input', target: 'draft-2020-12' });
  return `${JSON.stringify({ $id: schemaName, title: 'Result of the vast-ost bench', ...schema }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(jsonSchemaFile, jsonSchema());
