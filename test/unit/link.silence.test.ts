/** A connection that never says HELLO holds a descriptor of the engine's: it is given up after a while. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { encodeFrame, frame, wire } from '../../engine/core/wire.ts';
import { Link } from '../../engine/intake/link.ts';

test.each([false, true])(
  'with a first frame (%s) a connection outlives the wait for it, else it does not',
  async (speaks) => {
    const directory = mkdtempSync(join(tmpdir(), 'vast-ost-link-'));
    const server = createServer();
    const path = join(directory, 's');
    server.listen(path);
    await once(server, 'listening');
    const client = connect(path);
    const [socket] = (await once(server, 'connection')) as [Socket];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const ends: string[] = [];
      const first = Promise.withResolvers<void>();
      const link = new Link(1, socket, { request: () => first.resolve(), ended: (_, why) => ends.push(why) });
      if (speaks) {
        const { magic, major, minor } = wire;
        client.write(encodeFrame('hello', frame.hello, 1, { magic, major, minor, job: 'j', server: 'VastData:x' }));
        await first.promise;
      }
      vi.advanceTimersByTime(wire.silenceS * 1000 - 1);
      expect(ends).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(ends).toEqual(speaks ? [] : ['no HELLO came']);
      link.end('the test is over');
    } finally {
      vi.useRealTimers();
      client.destroy();
      server.close();
      rmSync(directory, { recursive: true });
    }
  },
);
