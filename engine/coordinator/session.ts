/**
 * One connection's life: HELLO, then either server calls or one image. Which frame is allowed when is decided here;
 * what breaks the order ends the connection, what merely cannot be done is answered with a status and a text.
 */
import { assert } from '../core/assert.ts';
import { Failed, status } from '../core/errors.ts';
import { FrameError } from '../core/layout.ts';
import { encodeBody, type FrameOf, frame, imageState, openMode, type Request, wire } from '../core/wire.ts';
import type { ImageCall } from '../image/lifecycle.ts';
import type { Link } from '../intake/link.ts';
import { Account } from './account.ts';
import type { ServerContext, Shared } from './context.ts';
import { copyCall } from './copy-call.ts';
import { type Greeter, greet } from './greeting.ts';
import { closedBody, metadataBody, openedBody } from './image-frames.ts';
import { demandMove, encodeInfo, type ImageKey, imageKey, writerToken } from './image-info.ts';
import { openForRead } from './read-target.ts';
import { ImageReader } from './reader.ts';
import { resumedResult } from './resume.ts';
import { ServerCalls } from './server-calls.ts';
import type { StorageServer } from './servers.ts';
import { createOpened, type Opened, reopenOpened, startWriter } from './start-writer.ts';
import type { Alive } from './write-target.ts';
import { ImageWriter } from './writer.ts';

export interface SessionHost extends Greeter {
  readonly shared: Shared;
  readonly alive: Alive;
  readonly instance: Uint8Array;
  statusJson(): string;
}

export class Session {
  readonly link: Link;
  readonly #host: SessionHost;
  /** Null: not greeted yet. */
  server: StorageServer | null = null;
  #calls: ServerCalls | null = null;
  writer: ImageWriter | null = null;
  reader: ImageReader | null = null;
  /** What HELLO was answered with, other than a welcome: the call that came behind it gets the same. */
  #refusal: Failed | null = null;
  /** Set once a call has made this connection an image's. */
  #imageCall = false;
  #closed = false;
  #work: Promise<void> = Promise.resolve();
  /** What the call under way leaves to be done when its reply is out: nobody waits for it. */
  #behind: (() => void) | null = null;

  constructor(host: SessionHost, link: Link) {
    this.#host = host;
    this.link = link;
  }

  /** Counts as a handle. */
  get greeted(): boolean {
    return this.server !== null;
  }

  /** Throws FrameError where the client broke the order of frames. */
  take(request: Request): void {
    if (!this.greeted) {
      if (this.#refusal === null) this.#hello(request);
      // Whoever wants to know why no handle is to be had must be told.
      else if (request.type === frame.status) this.#answer(request);
      else if (request.callId !== 0) this.#refuse(request.callId, this.#refusal);
      return;
    }
    switch (request.type) {
      case frame.hello:
        throw new FrameError('a second HELLO');
      case frame.submit:
        // What is being made durable or complete must not change under the hands that do it.
        if (this.link.callType !== 0) throw new FrameError('a block while a call is under way');
        this.#needWriter().submit(request.body as FrameOf<'submit'>);
        return;
      case frame.populate:
        this.#needWriter().slots.populate();
        return;
      case frame.slotDone:
        this.#needReader().slotDone(request.body as FrameOf<'slotDone'>);
        return;
      case frame.arenaDropped:
        this.#arenaDropped(request.body as FrameOf<'arenaDropped'>);
        return;
      default:
        this.#answer(request);
    }
  }

  /** After the link has ended: lets go of everything. The memory goes last, when nobody touches it any more. */
  async end(why: string): Promise<void> {
    const { memory, tokens } = this.#host.shared;
    // A call that waits for memory would wait on, for nobody.
    memory.giveUp(this.link.id);
    await this.#work.catch(() => undefined);
    try {
      await this.#calls?.end();
    } finally {
      await this.#endImage(why).finally(() => {
        // Only a connection that its client closed is nobody's: else a child of the client may hold it.
        const mayKeep = (image: ImageWriter | ImageReader): boolean => this.link.closedByPeer && image.account.clean;
        this.writer?.slots.drop(mayKeep(this.writer));
        this.reader?.dropArena(mayKeep(this.reader));
        memory.release(this.link.id);
        tokens.release(this.link.id);
      });
    }
  }

  async #endImage(why: string): Promise<void> {
    const { log } = this.#host.shared;
    const { writer, reader } = this;
    if (this.#closed || (writer === null && reader === null))
      log.debug({ job: this.link.job, pid: this.link.peer.pid, why }, 'connection ended');
    if (writer !== null) {
      if (!this.#closed) log.warn({ ...this.#about(writer), why }, 'the image stays pending: its writer is gone');
      const { id } = writer.target.key;
      const { open } = this.#ctx;
      await writer.end().finally(() => {
        if (open.writer(id) === writer) open.setWriter(id, null);
      });
    }
    if (reader !== null) {
      if (!this.#closed) log.warn({ ...this.#about(reader), why }, 'the reader is gone without a close');
      await reader.end();
    }
  }

  #hello(request: Request): void {
    try {
      this.server = greet(this.#host, this.link, request);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.#refuse(request.callId, error);
      return;
    }
    this.#calls = new ServerCalls(this.server.ctx, this.#host.alive);
    const body = encodeBody('helloOk', {
      major: wire.major,
      minor: wire.minor,
      engine_pid: process.pid,
      instance: this.#host.instance,
    });
    // At once, and not with what the call behind it starts: a host program that has no answer to its HELLO takes it that the
    // call was not begun, and sends both to the next engine.
    this.link.reply(request.callId, status.OK, 0, '', body);
  }

  get #ctx(): ServerContext {
    assert(this.server !== null, 'a call behind a greeting');
    return this.server.ctx;
  }

  #refuse(callId: number, refusal: Failed): void {
    this.#refusal = refusal;
    this.link.reply(callId, refusal.status, 0, refusal.message, null);
  }

  #needReader(): ImageReader {
    if (this.reader === null) throw new FrameError('a slot was given back without an image open for reading');
    return this.reader;
  }

  #needWriter(): ImageWriter {
    if (this.writer === null) throw new FrameError('a block without an image open for write');
    return this.writer;
  }

  #arenaDropped(body: FrameOf<'arenaDropped'>): void {
    if (this.writer !== null) this.writer.slots.arenaDropped(body.arena);
    else if (this.reader !== null) this.reader.arenaDropped(body.arena);
    else throw new FrameError('an arena was dropped before there was one');
    this.#tick();
  }

  #answer(request: Request): void {
    const { link } = this;
    this.#tick();
    this.#work = this.#call(request)
      .then((body) => {
        // A READ answers for itself, in order with its DATA.
        if (body !== undefined) link.reply(request.callId, status.OK, 0, '', body);
        this.#tick();
      })
      .catch((error: unknown) => {
        if (error instanceof Failed) {
          link.reply(request.callId, error.status, error.errno, error.message, null);
          this.#tick();
          return;
        }
        if (error instanceof FrameError) {
          link.end(`the host program broke the protocol: ${error.message}`);
          return;
        }
        this.#host.shared.bug(`call ${request.type}`, error);
        link.reply(request.callId, status.EINTERNAL, 0, 'internal error; see the log of the engine', null);
        link.end('internal error');
      })
      .then(() => this.#afterReply());
  }

  /** Before any other frame is looked at: whoever has the reply finds all that follows from it. */
  #afterReply(): void {
    const behind = this.#behind;
    this.#behind = null;
    try {
      behind?.();
    } catch (error) {
      this.#host.shared.bug('behind a reply', error);
      this.link.end('internal error');
    }
  }

  /** A call came, or was answered. */
  #tick(): void {
    (this.writer ?? this.reader)?.account.clock.tick();
  }

  async #call(request: Request): Promise<Buffer | null | undefined> {
    const { body } = request;
    switch (request.type) {
      case frame.status:
        return Buffer.from(this.#host.statusJson(), 'utf8');
      case frame.imageCreate:
        return this.#create(body as FrameOf<'imageCreate'>);
      case frame.imageOpen:
        return this.#open(body as FrameOf<'imageOpen'>);
      case frame.imageResume:
        return this.#resume(body as FrameOf<'imageResume'>);
      case frame.imageCopy:
        return this.#copy(body as FrameOf<'imageCopy'>);
      case frame.flush:
        return this.#writing('flush').flush((body as FrameOf<'flush'>).sequence);
      case frame.close:
        return this.#close(body as FrameOf<'close'>);
      case frame.read: {
        await this.#reading().read(request.callId, body as FrameOf<'read'>);
        return undefined;
      }
      case frame.metadataWrite:
        return this.#writeMetadata(request);
      case frame.metadataRead:
        return this.#readMetadata(body as FrameOf<'metadata'>);
      case frame.imageProp:
        return encodeInfo(this.#image().info());
      default: {
        const answer = this.#calls?.call(request, this.link.server) ?? null;
        if (answer === null) throw new FrameError(`frame type ${request.type} is not a call`);
        return answer;
      }
    }
  }

  /** Until the connection ends, or its next copy begins. */
  #holdToken(bytes: Uint8Array): string {
    const token = writerToken(bytes);
    this.#host.shared.tokens.hold(this.link.id, token, this.#ctx.server);
    return token;
  }

  // --- opening --------------------------------------------------------------------------------------------------------

  #claimConnection(): void {
    if (this.#imageCall) throw new FrameError('a second image on one connection');
    this.#imageCall = true;
  }

  async #create(body: FrameOf<'imageCreate'>): Promise<Buffer> {
    this.#claimConnection();
    const ctx = this.#ctx;
    const key = imageKey(body.lsu, body.def);
    const token = this.#holdToken(body.token);
    return this.#startWriter(key, 'create', () => createOpened(ctx, this.link.id, key, body.def, token));
  }

  async #open(body: FrameOf<'imageOpen'>): Promise<Buffer> {
    this.#claimConnection();
    const ctx = this.#ctx;
    const { alive } = this.#host;
    const key = imageKey(body.lsu, body.def);
    if (body.mode === openMode.read) return this.#startReader(key);
    if (body.mode !== openMode.write) throw new Failed(status.EINVAL, `${key.what}: open mode ${body.mode} is unknown`);
    const token = this.#holdToken(body.token);
    return this.#startWriter(key, 'openWrite', () => reopenOpened(ctx, this.link.id, key, token, alive));
  }

  async #resume(body: FrameOf<'imageResume'>): Promise<Buffer> {
    this.#claimConnection();
    const ctx = this.#ctx;
    const { alive } = this.#host;
    const key = imageKey(body.lsu, body.def);
    const token = this.#holdToken(body.token);
    // The connection that was lost may not be known as lost yet: the token says that this is the same writer.
    const writer = ctx.open.writer(key.id);
    if (writer?.token === token) await writer.giveWay();
    const done = await resumedResult(ctx, key, token, Buffer.from(body.image_id).toString('hex'));
    if (done !== null) return done;
    return this.#startWriter(key, 'openWrite', () => reopenOpened(ctx, this.link.id, key, token, alive));
  }

  async #startReader(key: ImageKey): Promise<Buffer> {
    const { open, mounts } = this.#ctx;
    const account = new Account(this.#ctx);
    if (open.writer(key.id) !== null) demandMove(key, 'busy', 'openRead');
    const { ctx, target } = await mounts.run(key.id, 'always', async (mount) => ({
      ctx: mount,
      target: await openForRead(mount, key),
    }));
    this.reader = new ImageReader(ctx, this.link, target, account);
    return openedBody(target.meta, imageState.created);
  }

  async #startWriter(key: ImageKey, call: ImageCall, open: () => Promise<Opened>): Promise<Buffer> {
    const ctx = this.#ctx;
    const writer = await startWriter(ctx, this.link, key, call, open);
    this.writer = writer;
    const { meta } = writer.target;
    ctx.log.debug({ job: this.link.job, image: key.id, durable: meta.size }, 'image open for write');
    this.#behind = () => writer.slots.begin();
    return openedBody(meta, imageState.pending | imageState.busyWrite);
  }

  // --- one image ------------------------------------------------------------------------------------------------------

  #image(): ImageWriter | ImageReader {
    const image = this.writer ?? this.reader;
    if (image === null || this.#closed) throw new FrameError('a call on an image that is not open');
    return image;
  }

  #writing(call: string): ImageWriter {
    if (this.reader !== null) {
      throw new Failed(status.ESTATE, `${this.reader.target.key.what} is open for reading: ${call} is refused`);
    }
    if (this.writer === null || this.#closed) throw new FrameError(`${call} without an image`);
    return this.writer;
  }

  #reading(): ImageReader {
    if (this.writer !== null) {
      throw new Failed(status.ESTATE, `${this.writer.target.key.what} is open for write: it cannot be read`);
    }
    if (this.reader === null || this.#closed) throw new FrameError('READ without an image');
    return this.reader;
  }

  #writeMetadata(request: Request): null {
    const { offset, length } = request.body as FrameOf<'metadata'>;
    const tail = request.tail ?? new Uint8Array(0);
    if (tail.length !== length) throw new FrameError('metadata of another length than announced');
    this.#writing('metadata').writeMetadata(offset, tail);
    return null;
  }

  #readMetadata(body: FrameOf<'metadata'>): Buffer {
    const image = this.#image();
    const all = image instanceof ImageWriter ? image.target.opaque : image.target.meta.opaque;
    return metadataBody(all, body);
  }

  async #close(body: FrameOf<'close'>): Promise<Buffer> {
    const ctx = this.#ctx;
    const image = this.#image();
    this.#closed = true;
    if (image instanceof ImageReader) {
      image.account.told(body);
      await image.end();
      this.#behind = () => ctx.log.info({ ...this.#about(image), ...image.ended() }, 'image read');
      return closedBody(image.target.meta.size, imageState.created);
    }
    try {
      return await image.close(body);
    } finally {
      ctx.open.setWriter(image.target.key.id, null);
      this.#behind = () => {
        const { state, size, sha256 } = image.target.meta;
        const more = { state, size, checksum: sha256 === null ? null : `sha256:${sha256}` };
        ctx.log.info({ ...this.#about(image), ...more, ...image.ended() }, 'image written');
      };
    }
  }

  #about(image: ImageWriter | ImageReader): object {
    return { job: this.link.job, server: this.link.server, image: image.target.key.id };
  }

  #copy(body: FrameOf<'imageCopy'>): Promise<Buffer> {
    // A copy may need memory of its own, and a connection has one arena.
    if (this.#imageCall) throw new FrameError('a copy on the connection of an image');
    return copyCall(this.#ctx, this.link, body, this.#holdToken(body.token));
  }
}
