/**
 * What an answer must say to be S3's. A proxy's page with 200, or an error in a 200 that the SDK does not recognise, says
 * nothing of it: taken for a success it would acknowledge bytes that nobody has, or show a bucket without images.
 */
import {
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandOutput,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandOutput,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListPartsCommand,
  type ListPartsCommandOutput,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type UploadPartCopyCommandOutput,
} from '@aws-sdk/client-s3';
import { type S3Verdict, WrongAnswer } from './failures.ts';

type Tagged = { ETag?: string };
type Commands = readonly (abstract new (...args: never[]) => object)[];

function isOne(command: object, commands: Commands): boolean {
  return commands.some((one) => command instanceof one);
}

function says(command: object, answer: object): boolean {
  if (isOne(command, [PutObjectCommand, UploadPartCommand])) return (answer as Tagged).ETag !== undefined;
  if (command instanceof CompleteMultipartUploadCommand) {
    const { ETag, Key, Location } = answer as CompleteMultipartUploadCommandOutput;
    return (ETag ?? Key ?? Location) !== undefined;
  }
  if (command instanceof UploadPartCopyCommand)
    return (answer as UploadPartCopyCommandOutput).CopyPartResult?.ETag !== undefined;
  if (command instanceof CreateMultipartUploadCommand)
    return (answer as CreateMultipartUploadCommandOutput).UploadId !== undefined;
  if (command instanceof ListObjectsV2Command) {
    const { IsTruncated, Name, KeyCount } = answer as ListObjectsV2CommandOutput;
    return (IsTruncated ?? Name ?? KeyCount) !== undefined;
  }
  if (isOne(command, [ListPartsCommand, ListMultipartUploadsCommand])) {
    const { IsTruncated, Bucket } = answer as ListPartsCommandOutput | ListMultipartUploadsCommandOutput;
    return (IsTruncated ?? Bucket) !== undefined;
  }
  return true;
}

/** Throws WrongAnswer. */
export function demandAnswer(command: object, answer: object): void {
  if (says(command, answer)) return;
  const { requestId = '' } = (answer as { $metadata?: { requestId?: string } }).$metadata ?? {};
  throw new WrongAnswer('NotS3', 'a success that says nothing of what was asked', requestId);
}

/** S3 says which thing is not there, except to HEAD. A bare 404 is somebody else's, and says nothing of the bucket. */
export function withoutBare404(command: object, verdict: S3Verdict): S3Verdict {
  const isBare = verdict.status === 404 && !verdict.code.startsWith('NoSuch');
  return isBare && !(command instanceof HeadObjectCommand) ? { ...verdict, name: 'badAnswer' } : verdict;
}

/** Where the bytes of an answer lie in their object. Null: the answer does not say so. */
export function rangeOf(answer: GetObjectCommandOutput): { begin: number; length: number; size: number } | null {
  const length = answer.ContentLength ?? 0;
  if (answer.ContentRange === undefined) return { begin: 0, length, size: length };
  const [, begin, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange) ?? [];
  if (begin === undefined || Number(end) - Number(begin) + 1 !== length) return null;
  return { begin: Number(begin), length, size: Number(size) };
}
