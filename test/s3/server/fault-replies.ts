/** Answers that a fault makes up, or bends. */
import { randomBytes } from 'node:crypto';
import type { Context, Payload, Reply } from './context.ts';
import { errorXml } from './error-xml.ts';
import type { FaultAction, Point } from './fault-data.ts';
import { answerXml, element } from './xml.ts';

/** The answer that the fault gives in place of the true one at this point; null: none. */
export function faultReply(context: Context, action: FaultAction | null, point: Point): Reply | null {
  switch (action?.do) {
    case 'answer': {
      if ((action.at ?? 'read') !== point) return null;
      const headers = { 'content-type': 'application/xml', ...action.headers };
      if (action.retryAfter !== undefined) Object.assign(headers, { 'retry-after': action.retryAfter });
      if (action.close) Object.assign(headers, { connection: 'close' });
      const body =
        action.body ?? xml(context, action.code ?? 'InternalError', action.message ?? 'A fault of the test.');
      return { status: action.status, headers, body };
    }
    case 'errorIn200':
      if (point !== 'read') return null;
      return { status: 200, body: xml(context, action.code, action.message ?? 'A fault of the test, inside a 200.') };
    case 'expiredToken':
      if (point !== 'read') return null;
      return { status: 400, body: xml(context, 'ExpiredToken', 'The provided token has expired.') };
    case 'quota': {
      if (point !== 'read') return null;
      const code = action.status === 507 ? 'InsufficientStorage' : 'QuotaExceeded';
      return { status: action.status, body: xml(context, code, 'The quota of this bucket is exceeded.') };
    }
    default:
      return null;
  }
}

function xml({ call, requestId }: Context, code: string, message: string): string {
  return errorXml(code, message, call.rawPath, requestId);
}

/** notStored: what a success would look like. */
export function pretend({ call }: Context, action: FaultAction | null, payload: Payload): Reply | null {
  if (action?.do !== 'notStored') return null;
  switch (call.op) {
    case 'PutObject':
    case 'UploadPart':
      return { status: 200, headers: { etag: `"${payload.md5}"` } };
    case 'DeleteObject':
    case 'AbortMultipartUpload':
      return { status: 204 };
    case 'CompleteMultipartUpload': {
      const etag = `"${randomBytes(16).toString('hex')}-1"`;
      const names = element('Bucket', call.bucket) + element('Key', call.key);
      return { status: 200, body: answerXml('CompleteMultipartUploadResult', names + element('ETag', etag)) };
    }
    default:
      throw new TypeError(`notStored does not go with ${call.op}`);
  }
}

/** The true answer, bent. */
export function changedReply(_context: Context, action: FaultAction | null, reply: Reply): Reply {
  switch (action?.do) {
    case 'wrongEtag': {
      const etag = `"${'0'.repeat(32)}"`;
      const headers = { ...reply.headers };
      if (headers.etag !== undefined) headers.etag = etag;
      const { body } = reply;
      const bent = typeof body === 'string' ? body.replace(/<ETag>[^<]*/g, `<ETag>${etag}`) : body;
      return { ...reply, headers, body: bent };
    }
    case 'wrongRange': {
      const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(reply.headers?.['content-range'] ?? '');
      if (range === null) return reply;
      const [start, last] = [Number(range[1]) + action.shift, Number(range[2]) + action.shift];
      return { ...reply, headers: { ...reply.headers, 'content-range': `bytes ${start}-${last}/${range[3]}` } };
    }
    case 'wrongBytes': {
      const { body } = reply;
      if (typeof body !== 'object') return reply;
      const back = body.end + action.shift > body.object.size;
      const shift = back ? -Math.min(action.shift, body.start) : action.shift;
      return { ...reply, body: { ...body, start: body.start + shift, end: body.end + shift } };
    }
    default:
      return reply;
  }
}
