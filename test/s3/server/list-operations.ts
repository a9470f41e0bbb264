/** Lists and what is asked of a bucket: every page costs what is on it, not what is in the bucket. */
import { bucketOf, type Context, type Operation, queryNumber } from './context.ts';
import { S3Error } from './error.ts';
import { SortedKeys } from './sorted-keys.ts';
import type { StoredPart, Upload } from './state.ts';
import { answerXml, element } from './xml.ts';

export const listOperations: Record<
  'ListObjectsV2' | 'ListParts' | 'ListMultipartUploads' | 'HeadBucket' | 'GetBucketLocation',
  Operation
> = {
  ListObjectsV2: { body: 'none', run: (context) => ({ status: 200, body: listObjects(context) }) },
  ListParts: { body: 'none', run: (context) => ({ status: 200, body: listParts(context) }) },
  ListMultipartUploads: { body: 'none', run: (context) => ({ status: 200, body: listUploads(context) }) },
  HeadBucket: {
    body: 'none',
    run(context) {
      bucketOf(context);
      return { status: 200, headers: { 'x-amz-bucket-region': regionOf(context) } };
    },
  },
  GetBucketLocation: {
    body: 'none',
    run(context) {
      bucketOf(context);
      // S3 says nothing for its first region.
      const location = context.options.location ?? regionOf(context).replace(/^us-east-1$/, '');
      return { status: 200, body: answerXml('LocationConstraint', escapeText(location)) };
    },
  },
};

function regionOf({ options }: Context): string {
  return options.region === '*' ? 'us-east-1' : options.region;
}

function escapeText(text: string): string {
  return element('x', text).slice(3, -4);
}

/** With encoding-type=url names come as in a form: space is '+', the slash stays. */
function encoder({ call }: Context): (text: string) => string {
  const type = call.query.get('encoding-type');
  if (type === undefined) return (text) => text;
  if (type !== 'url') throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request');
  return (text) =>
    encodeURIComponent(text)
      .replace(/%2F/g, '/')
      .replace(/%20/g, '+')
      .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

interface Page {
  /** Names, or common prefixes, in order. */
  entries: { name: string; isPrefix: boolean }[];
  isTruncated: boolean;
}

/** Walks from `index`; a common prefix is one entry, and what lies below it is jumped over. */
function walk(keys: SortedKeys, index: number, prefix: string, delimiter: string, max: number): Page {
  const entries: Page['entries'] = [];
  let at = Math.max(index, keys.from(prefix));
  const end = keys.behind(prefix);
  while (at < end && entries.length < max) {
    const name = keys.at(at)!;
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    if (cut < 0) {
      entries.push({ name, isPrefix: false });
      at++;
    } else {
      const common = name.slice(0, cut + delimiter.length);
      entries.push({ name: common, isPrefix: true });
      at = keys.behind(common);
    }
  }
  return { entries, isTruncated: at < end };
}

function listObjects(context: Context): string {
  const { call, options } = context;
  const bucket = bucketOf(context);
  const encode = encoder(context);
  const prefix = call.query.get('prefix') ?? '';
  const delimiter = call.query.get('delimiter') ?? '';
  const startAfter = call.query.get('start-after') ?? '';
  const token = call.query.get('continuation-token');
  const asked = queryNumber(context, 'max-keys', options.limits.listMax);
  const max = Math.min(asked, options.limits.listMax);
  const from = token === undefined ? bucket.keys.after(startAfter) : fromToken(bucket.keys, token);
  const page = walk(bucket.keys, startAfter === '' && token === undefined ? 0 : from, prefix, delimiter, max);
  const isTruncated = page.isTruncated && max > 0;
  let contents = '';
  let prefixes = '';
  for (const { name, isPrefix } of page.entries) {
    if (isPrefix) {
      prefixes += element('CommonPrefixes', element('Prefix', encode(name)), true);
      continue;
    }
    const object = bucket.objects.get(name)!;
    contents += element(
      'Contents',
      element('Key', encode(name)) +
        element('LastModified', new Date(object.modifiedAt).toISOString()) +
        element('ETag', `"${object.etag}"`) +
        element('Size', object.size) +
        element('StorageClass', 'STANDARD'),
      true,
    );
  }
  const last = page.entries.at(-1);
  return answerXml(
    'ListBucketResult',
    element('Name', bucket.name) +
      element('Prefix', encode(prefix)) +
      (delimiter === '' ? '' : element('Delimiter', encode(delimiter))) +
      (startAfter === '' ? '' : element('StartAfter', encode(startAfter))) +
      (token === undefined ? '' : element('ContinuationToken', token)) +
      (call.query.has('encoding-type') ? element('EncodingType', 'url') : '') +
      element('MaxKeys', asked) +
      element('KeyCount', page.entries.length) +
      element('IsTruncated', isTruncated) +
      (isTruncated ? element('NextContinuationToken', toToken(last!)) : '') +
      contents +
      prefixes,
  );
}

function toToken({ name, isPrefix }: Page['entries'][number]): string {
  return Buffer.from(`${isPrefix ? 'p' : 'k'}:${name}`).toString('base64url');
}

function fromToken(keys: SortedKeys, token: string): number {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!/^[pk]:/.test(text)) throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');
  return text[0] === 'p' ? keys.behind(text.slice(2)) : keys.after(text.slice(2));
}

export function uploadOf(context: Context): Upload {
  const { call } = context;
  const upload = bucketOf(context).uploads.get(call.uploadId);
  if (upload === undefined || upload.key !== call.key) {
    throw new S3Error(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      { UploadId: call.uploadId },
    );
  }
  return upload;
}

function listParts(context: Context): string {
  const upload = uploadOf(context);
  const { limits } = context.options;
  const asked = queryNumber(context, 'max-parts', limits.listMax);
  const marker = queryNumber(context, 'part-number-marker', 0);
  const later = [...upload.parts.values()].filter(({ part }) => part > marker).sort((a, b) => a.part - b.part);
  const page = later.slice(0, Math.min(asked, limits.listMax));
  return answerXml(
    'ListPartsResult',
    element('Bucket', context.call.bucket) +
      element('Key', encoder(context)(upload.key)) +
      element('UploadId', upload.id) +
      element('PartNumberMarker', marker) +
      element('NextPartNumberMarker', page.at(-1)?.part ?? 0) +
      element('MaxParts', asked) +
      element('IsTruncated', later.length > page.length) +
      (upload.checksum === null
        ? ''
        : element('ChecksumAlgorithm', upload.checksum.algorithm.toUpperCase()) +
          element('ChecksumType', upload.checksum.type)) +
      page.map(partXml).join(''),
  );
}

function partXml(part: StoredPart): string {
  const { checksum } = part;
  return element(
    'Part',
    element('PartNumber', part.part) +
      element('LastModified', new Date(part.modifiedAt).toISOString()) +
      element('ETag', `"${part.etag}"`) +
      element('Size', part.piece.size) +
      (checksum === null ? '' : element(`Checksum${checksum.algorithm.toUpperCase()}`, checksum.value)),
    true,
  );
}

/** Ordered by key, then by start; the second marker counts only beside the first. */
function listUploads(context: Context): string {
  const { call, options } = context;
  const bucket = bucketOf(context);
  const encode = encoder(context);
  const prefix = call.query.get('prefix') ?? '';
  const delimiter = call.query.get('delimiter') ?? '';
  const keyMarker = call.query.get('key-marker') ?? '';
  const idMarker = keyMarker === '' ? '' : (call.query.get('upload-id-marker') ?? '');
  const asked = queryNumber(context, 'max-uploads', options.limits.listMax);
  const max = Math.min(asked, options.limits.listMax);
  const byKey = new Map<string, Upload[]>();
  const keys = new SortedKeys();
  for (const upload of bucket.uploads.values()) {
    keys.add(upload.key);
    byKey.set(upload.key, [...(byKey.get(upload.key) ?? []), upload]);
  }
  // A common prefix was the marker: all below it is behind us.
  const isPrefixMarker = delimiter !== '' && keyMarker.endsWith(delimiter);
  const start = isPrefixMarker
    ? keys.behind(keyMarker)
    : idMarker !== ''
      ? keys.from(keyMarker)
      : keys.after(keyMarker);
  const walked = walk(keys, keyMarker === '' ? 0 : start, prefix, delimiter, keys.size).entries;
  const all = walked.flatMap(({ name, isPrefix }): { name: string; upload: Upload | null }[] => {
    if (isPrefix) return [{ name, upload: null }];
    const later = byKey.get(name)!.filter(({ id }) => name !== keyMarker || id > idMarker);
    return later.map((upload) => ({ name, upload }));
  });
  const page = all.slice(0, max);
  const isTruncated = all.length > page.length && max > 0;
  let xml = '';
  for (const { name, upload } of page) {
    xml +=
      upload === null
        ? element('CommonPrefixes', element('Prefix', encode(name)), true)
        : element(
            'Upload',
            element('Key', encode(name)) +
              element('UploadId', upload.id) +
              element('StorageClass', 'STANDARD') +
              element('Initiated', new Date(upload.startedAt).toISOString()),
            true,
          );
  }
  const last = page.at(-1);
  return answerXml(
    'ListMultipartUploadsResult',
    element('Bucket', bucket.name) +
      element('KeyMarker', encode(keyMarker)) +
      element('UploadIdMarker', idMarker) +
      element('Prefix', encode(prefix)) +
      (delimiter === '' ? '' : element('Delimiter', encode(delimiter))) +
      (isTruncated
        ? element('NextKeyMarker', encode(last!.name)) + element('NextUploadIdMarker', last!.upload?.id ?? '')
        : '') +
      element('MaxUploads', asked) +
      (call.query.has('encoding-type') ? element('EncodingType', 'url') : '') +
      element('IsTruncated', isTruncated) +
      xml,
  );
}
