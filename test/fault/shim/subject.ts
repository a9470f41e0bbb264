/**
 * Stands for the engine in the shim's own tests: makes the addon calls that come in on standard input, one JSON array
 * [name, ...arguments] a line, and answers each with its result on a line. "text:…" arguments become bytes.
 */
import { createInterface } from 'node:readline';
import { type Addon, addon } from '../../../native/addon/index.ts';

const calls = addon as unknown as Record<keyof Addon, (...args: unknown[]) => unknown>;

function argument(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('text:')) return Buffer.from(value.slice(5));
  return value === 'stat' ? new Float64Array(12) : value;
}

process.stdout.write(`${process.pid}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line) as [keyof Addon, ...unknown[]];
  process.stdout.write(`${JSON.stringify(calls[name](...args.map(argument)))}\n`);
}
