/** Backups and restores in a rain of faults between engine and endpoint. More of it: VAST_OST_S3_RAIN, images a stream. */
import { expect, test } from 'vitest';
import { seed } from '../support/seed.ts';
import { rainOver } from './rain-run.ts';
import { S3Server } from './server/server.ts';

const images = Number(process.env.VAST_OST_S3_RAIN ?? 1);

test.each(['aws-like', 'vast-like'] as const)(
  `${images} images a stream, to an endpoint that is %s (seed ${seed})`,
  {
    timeout: 60_000 + images * 60_000,
  },
  async (mode) => {
    await using server = await S3Server.start({ mode });
    const { problems, kinds } = await rainOver(server, { seed, images });
    expect(problems).toEqual([]);
    // What did not fall proves nothing.
    expect(kinds.length).toBeGreaterThan(5);
    expect(server.uploads()).toEqual([]);
  },
);
