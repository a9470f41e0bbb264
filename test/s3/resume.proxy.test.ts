/** What a resume sends again, counted between engine and endpoint. */
import { expect, test } from 'vitest';
import { resumeOver } from './resume-run.ts';
import { S3Server } from './server/server.ts';

test('a resume after a kill sends what was not durable, and the slots at most once more', async () => {
  await using server = await S3Server.start();
  const { problems } = await resumeOver(server);
  expect(problems).toEqual([]);
  expect(server.keys('lsu/image~7/')).toHaveLength(3);
  expect(server.uploads()).toEqual([]);
});
