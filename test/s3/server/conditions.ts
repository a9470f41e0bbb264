/** If-Match and its kin: for writes each behind a switch, for reads as HTTP has them. */
import type { Context } from './context.ts';
import { S3Error } from './error.ts';
import type { ConditionSwitch } from './options.ts';
import type { StoredObject } from './state.ts';

export function checkWriteConditions({ call }: Context, existing: StoredObject | undefined, to: ConditionSwitch): void {
  const ifNoneMatch = call.headers.get('if-none-match');
  const ifMatch = call.headers.get('if-match');
  if ((ifNoneMatch === undefined && ifMatch === undefined) || to === 'ignore') return;
  if (to === 'refuse' || (ifNoneMatch !== undefined && ifNoneMatch !== '*')) {
    const message = 'A header you provided implies functionality that is not implemented: conditional write';
    throw new S3Error('NotImplemented', message);
  }
  if (ifNoneMatch !== undefined && existing !== undefined) throw failed('If-None-Match');
  if (ifMatch !== undefined) {
    if (existing === undefined) throw new S3Error('NoSuchKey', 'The specified key does not exist.');
    if (!names(ifMatch, existing.etag)) throw failed('If-Match');
  }
}

/** True: answer 304. */
export function checkReadConditions({ call }: Context, object: StoredObject): boolean {
  const ifMatch = call.headers.get('if-match');
  if (ifMatch !== undefined && !names(ifMatch, object.etag)) throw failed('If-Match');
  const ifNoneMatch = call.headers.get('if-none-match');
  return ifNoneMatch !== undefined && names(ifNoneMatch, object.etag);
}

function names(header: string, etag: string): boolean {
  return header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^"|"$/g, '') === etag);
}

function failed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  });
}
