/**
 * The test server as a program, for a test or a demonstration that wants it outside its own process:
 *
 *   node test/s3/server/main.ts ['{"mode": "vast-like"}' [faults.json]]
 *
 * The first line of its output is JSON: endpoints, bucket, credentials, caPath. It ends when its input ends.
 */
import type { StartOptions } from './options.ts';
import { caPath, S3Server } from './server.ts';

const [, , options = '{}', faultsPath] = process.argv;
{
  await using server = await S3Server.start(JSON.parse(options) as StartOptions);
  if (faultsPath !== undefined) server.faults.load(faultsPath);
  const { bucket, credentials } = server;
  const endpoints = server.endpoints.map(({ url }) => url);
  process.stdout.write(`${JSON.stringify({ endpoints, bucket, credentials, caPath })}\n`);
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve));
}
// Node 26 was seen to spin for ever while it closed what was left of its handles by itself.
process.exit(0);
