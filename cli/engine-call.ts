import { connect } from 'node:net';
import { status } from '../engine/core/errors.ts';
import { FrameCutter } from '../engine/core/frames.ts';
import { decodeReply, encodeBare, encodeFrame, type FrameType, frame, wire } from '../engine/core/wire.ts';
import { CliError } from './io.ts';

const waitMs = 10_000;

/** Asks the engine at `socket` one thing and hangs up: HELLO, then a frame that is a header only. The reply's body. */
export function askEngine(socket: string, type: FrameType): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const link = connect(socket);
    const cutter = new FrameCutter();
    const end = (settle: () => void) => {
      clearTimeout(timer);
      link.destroy();
      settle();
    };
    const fail = (text: string) => end(() => reject(new CliError(text)));
    const timer = setTimeout(() => fail(`the engine at ${socket} did not answer for ${waitMs / 1000} s`), waitMs);
    link.on('connect', () => {
      link.write(
        encodeFrame('hello', frame.hello, 1, {
          magic: wire.magic,
          major: wire.major,
          minor: wire.minor,
          pid: process.pid,
          job: 'vast-ost',
          server: 'VastData:status',
        }),
      );
      link.write(encodeBare(type, 2));
    });
    link.on('data', (data: Buffer) => {
      try {
        cutter.push(data, (from, at, length) => {
          const bytes = from.subarray(at, at + length);
          if (bytes.readUInt16LE(4) !== frame.reply) return;
          const reply = decodeReply(bytes);
          // An engine with no handle left, or without a server of that name, refuses the HELLO, and answers STATUS all the same.
          const refused = reply.callId === 1 && (reply.status === status.EBUSY || reply.status === status.ECLAIM);
          if (reply.status !== 0 && !refused) fail(`the engine refuses: ${reply.text}`);
          else if (reply.callId === 2) end(() => resolve(reply.body));
        });
      } catch (error) {
        fail(`the engine at ${socket} does not speak our protocol: ${(error as Error).message}`);
      }
    });
    link.on('close', () => fail(`the engine at ${socket} hung up`));
    link.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
        fail(`no engine runs at ${socket}: start it with vast-ostd, or systemctl start vast-ostd`);
      } else if (error.code === 'EACCES') fail(`${socket}: no permission to connect: see socket_mode in vast-ost.conf`);
      else fail(`${socket}: ${error.message}`);
    });
  });
}
