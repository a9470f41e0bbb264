/** Answers of HTTP/1.1: all splits of good ones give the same, what is doubtful is refused. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswerParser } from '../../workers/http/answer-parser.ts';
import { ProtocolError } from '../../workers/http/failure.ts';
import { seed } from '../support/seed.ts';

interface Taken {
  status: number | undefined;
  body: string;
  into: string;
  received: number;
  done: boolean;
  keepAlive: boolean;
}

/** Feeds the pieces as a socket would: straight into the target where that is wanted. */
function take(pieces: Buffer[], room: number | null, { noBody = false, end = false, collectMax = 100 } = {}): Taken {
  const into = room === null ? null : new Uint8Array(room);
  const parser = new AnswerParser({ noBody, into, collectMax });
  for (let piece of pieces) {
    while (piece.length > 0) {
      const wanted = parser.wanted;
      if (wanted === null) {
        parser.feed(piece);
        break;
      }
      const count = Math.min(wanted.length, piece.length);
      wanted.set(piece.subarray(0, count));
      parser.filled(count);
      piece = piece.subarray(count);
    }
  }
  if (end) parser.end();
  return {
    status: parser.head?.status,
    body: parser.body.toString('latin1'),
    into: Buffer.from(into ?? []).toString('latin1'),
    received: parser.received,
    done: parser.done,
    keepAlive: parser.keepAlive,
  };
}

function split(text: string, cuts: number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return places.slice(1).map((to, i) => bytes.subarray(places[i], to));
}

const withLength = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nETag: "x"\r\n\r\n0123456789';
const chunked =
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n0123\r\n6\r\n456789\r\n0\r\nA: b\r\n\r\n';
const untilEnd = 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n0123456789';

test.each([
  ['a length', withLength, true, false],
  ['chunks', chunked, true, false],
])(
  `a body by %s, collected or straight into its place, however it is split (seed ${seed})`,
  (_, text, keepAlive, end) => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), fc.boolean(), (cuts, direct) => {
        const taken = take(split(text, cuts), direct ? 10 : null, { end });
        expect(taken).toMatchObject({ done: true, keepAlive, received: direct ? 10 : 0 });
        expect(direct ? taken.into : taken.body).toBe('0123456789');
      }),
      { seed, numRuns: 300 },
    );
  },
);

test('an answer may end with its connection where it is collected', () => {
  expect(take(split(untilEnd, [20, 60]), null, { end: true })).toMatchObject({
    done: true,
    body: '0123456789',
    keepAlive: false,
  });
});

test('of a long error the beginning is kept, and of a long success nothing', () => {
  const long = (status: number): Buffer[] =>
    split(`HTTP/1.1 ${status} X\r\nContent-Length: 101\r\n\r\n${'x'.repeat(101)}`, [70]);
  expect(take(long(500), 10)).toMatchObject({ done: true, body: 'x'.repeat(100) });
  expect(() => take(long(200), null)).toThrow('more than 100 bytes');
});

test('the body of an error is collected, whatever place a success would have had', () => {
  const text = 'HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy';
  expect(take(split(text, []), 10)).toMatchObject({ status: 503, body: 'busy', received: 0, keepAlive: false });
});

test('HEAD, 204 and 304 have no body, whatever length they tell', () => {
  expect(take(split('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n', []), null, { noBody: true }).done).toBe(true);
  for (const status of [204, 304])
    expect(take(split(`HTTP/1.1 ${status} No\r\nContent-Length: 7\r\n\r\n`, []), null).done).toBe(true);
});

test.each([
  ['no status line', 'HTTP/2 200 OK\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc'],
  ['both a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['transfer coding gzip', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
  ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
  ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n'],
  ['where 10 were asked for', 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n'],
  ['more bytes than were asked for', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n'],
  ['a body without a length', 'HTTP/1.1 200 OK\r\n\r\n0123'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc'],
  ['headers are too long', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3000)],
  ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n'],
  ['a chunk is longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n'],
  ['a line without CR LF', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nab'],
  ['bytes behind the end', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc'],
  ['a header line that is none', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n'],
  ['a header line that is none', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
  ['headers are too long', `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`],
  ['a chunk line is too long', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(2000)}`],
  ['changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
])('%s is refused', (text, answer) => {
  // The 10 bytes of room are for a success only.
  expect(() => take(split(answer, []), 10)).toThrow(text);
  expect(() => take(split(answer, []), 10)).toThrow(ProtocolError);
});

test.each([withLength, chunked, 'HTTP/1.1 200'])('an answer that ends early is refused: %j', (text) => {
  const whole = Buffer.from(text, 'latin1');
  expect(() => take([whole.subarray(0, whole.length - 1)], 10, { end: true })).toThrow('ends early');
});

test.each([
  ['trailers', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'A: b\r\n'.repeat(20_000)}`],
  ['an error', `HTTP/1.0 500 Oh\r\n\r\n${'x'.repeat(1.5 * 2 ** 20)}`],
])('%s without an end are not listened to for ever', (_, text) => {
  expect(() => take([Buffer.from(text)], null)).toThrow(ProtocolError);
});
