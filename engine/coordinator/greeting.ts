/** HELLO: which storage server is meant, and whether this engine takes one more handle. */
import { Failed, status } from '../core/errors.ts';
import { FrameError } from '../core/layout.ts';
import { type FrameOf, frame, type Request, wire } from '../core/wire.ts';
import type { Link } from '../intake/link.ts';
import type { StorageServer, StorageServers } from './servers.ts';

export interface Greeter {
  readonly servers: StorageServers;
  /** Text for a refusal, or null: may this engine take one more handle now? */
  admit(): string | null;
}

/** Throws FrameError where this is no HELLO of ours, and Failed for a refusal that is answered. */
export function greet(host: Greeter, link: Link, request: Request): StorageServer {
  if (request.type !== frame.hello) throw new FrameError('the first frame is no HELLO');
  const hello = request.body as FrameOf<'hello'>;
  if (hello.magic !== wire.magic) throw new FrameError('this is no plug-in of ours');
  link.job = hello.job;
  link.server = hello.server;
  if (hello.major !== wire.major) {
    const text =
      `the plug-in speaks protocol ${hello.major}.${hello.minor}, the engine ${wire.major}.${wire.minor}: ` +
      'install plug-in and engine of the same release';
    throw new Failed(status.EVERSION, text);
  }
  const server = host.servers.find(hello.server);
  const full = host.admit();
  if (full !== null) throw new Failed(status.EBUSY, full);
  return server;
}
