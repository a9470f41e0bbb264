/** One request from head to answer: read, judged, carried out, with the fault that hits it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Call, readCall } from './call.ts';
import type { Context, Operation, Reply } from './context.ts';
import { S3Error } from './error.ts';
import { errorXml } from './error-xml.ts';
import type { FaultAction } from './fault-data.ts';
import { changedReply, faultReply, pretend } from './fault-replies.ts';
import type { Faults } from './faults.ts';
import type { Journal, LoggedRequest } from './journal.ts';
import { operations } from './operations.ts';
import type { Options } from './options.ts';
import { readPromised, receivePayload } from './payload.ts';
import { verifySignature } from './sigv4.ts';
import type { State } from './state.ts';
import { Gone, Wire } from './wire.ts';

export interface Serving {
  readonly options: Options;
  readonly state: State;
  readonly faults: Faults<FaultAction>;
  readonly journal: Journal;
  newRequestId(): string;
  /** An error of the server's own making: fails the test. */
  bug(error: unknown): void;
}

export interface Arrival {
  request: IncomingMessage;
  response: ServerResponse;
  endpoint: number;
  /** Options that this endpoint has of its own. */
  over: Partial<Options>;
  connection: number;
  isTls: boolean;
  reset(): void;
}

export async function serve(serving: Serving, arrival: Arrival): Promise<void> {
  const { journal } = serving;
  const options = { ...serving.options, ...arrival.over };
  const { request, response } = arrival;
  const wire = new Wire(request, response, arrival.reset);
  const call: Call = {
    op: null,
    method: '',
    bucket: '',
    key: '',
    rawPath: '/',
    query: new Map(),
    headers: new Map(),
    part: 0,
    uploadId: '',
  };
  const context: Context = {
    call,
    options,
    state: serving.state,
    isTls: arrival.isTls,
    requestId: serving.newRequestId(),
    now: Date.now() + options.clockOffsetMs,
    origin: `${arrival.isTls ? 'https' : 'http'}://${request.headers.host ?? ''}`,
    bodyChunks: () => wire.bodyChunks(),
  };
  journal.begin();
  const entry = newEntry(arrival, context.requestId);
  try {
    const reply = await replyTo(serving, arrival, context, wire, entry);
    using _held = typeof reply.body === 'object' ? serving.state.hold(reply.body.object) : null;
    await wire.answer(reply, { ...reply.headers, ...commonHeaders(context) });
    entry.status = wire.status;
  } catch (error) {
    if (!(error instanceof Gone)) {
      serving.bug(error);
      arrival.reset();
    }
  } finally {
    const { op, method, bucket, key, part } = call;
    const { authorization: _, ...headers } = Object.fromEntries(call.headers);
    Object.assign(entry, { op, method, bucket, key, part, headers, range: call.headers.get('range') ?? '' });
    journal.end({ ...entry, fault: wire.faultDone, bytesIn: wire.bytesIn, bytesOut: wire.bytesOut });
  }
}

/** The answer, an error's too. Throws Gone only, or a bug. */
async function replyTo(
  serving: Serving,
  arrival: Arrival,
  context: Context,
  wire: Wire,
  entry: LoggedRequest,
): Promise<Reply> {
  const { call } = context;
  try {
    readCall(arrival.request, call, context.options);
    wire.fault = serving.faults.take({ op: call.op, key: call.key, part: call.part, endpoint: arrival.endpoint });
    await wire.reach('start');
    const reply = faultReply(context, wire.action, 'start') ?? (await carryOut(serving, context, wire));
    return changedReply(context, wire.action, faultReply(context, wire.action, 'done') ?? reply);
  } catch (error) {
    if (error instanceof Gone) throw error;
    const known = error instanceof S3Error ? error : new S3Error('InternalError', String(error));
    if (known !== error) serving.bug(error);
    entry.code = known.code;
    const body = errorXml(known.code, known.message, call.rawPath, context.requestId, known.more);
    return { status: known.status, headers: { 'content-type': 'application/xml' }, body };
  }
}

async function carryOut(serving: Serving, context: Context, wire: Wire): Promise<Reply> {
  const { call, options } = context;
  if (wire.action?.do === 'raw') await wire.raw(wire.action.text);
  if (options.verifySignature) verifySignature(call, options, context.now);
  if (wire.action?.do === 'ignoreRange') (call.headers as Map<string, string>).delete('range');
  const operation: Operation | undefined = call.op === null ? undefined : operations[call.op];
  if (operation === undefined) {
    throw new S3Error('NotImplemented', 'A parameter you provided implies functionality that is not implemented.');
  }
  const promised = readPromised(context, operation.body);
  operation.check?.(context);
  const payload = await receivePayload(context, operation.body, promised);
  let isKept = false;
  try {
    await wire.reach('read');
    const instead = faultReply(context, wire.action, 'read') ?? pretend(context, wire.action, payload);
    if (instead !== null) return instead;
    isKept = true;
  } finally {
    if (!isKept && payload.piece !== null) serving.state.drop([payload.piece]);
  }
  const reply = await operation.run(context, payload);
  await wire.reach('done');
  return reply;
}

function newEntry({ request, endpoint, connection }: Arrival, requestId: string): LoggedRequest {
  return {
    op: null,
    method: request.method ?? '',
    bucket: '',
    key: '',
    part: 0,
    range: '',
    status: 0,
    code: '',
    bytesIn: 0,
    bytesOut: 0,
    requestId,
    endpoint,
    connection,
    fault: null,
    headers: {},
  };
}

function commonHeaders({ requestId, now }: Context): Record<string, string> {
  return { 'x-amz-request-id': requestId, date: new Date(now).toUTCString(), server: 'test-s3' };
}
