/** Multipart uploads that were begun and have not ended, page by page. */
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { Objects } from './objects.ts';

export interface UploadMarker {
  readonly key: string;
  readonly uploadId: string;
}

export interface BegunUpload {
  readonly key: string;
  readonly uploadId: string;
  /** Seconds since 1970 by the endpoint's clock. */
  readonly begunAt: number;
}

const uploadsPerPage = 1000;

/**
 * MinIO lists the uploads of one key only, when the prefix is that key: below a mere prefix it shows none, and ends those
 * that are left by its own rule.
 */
export async function listUploads(
  { bucket }: Objects,
  prefix: string,
  from: UploadMarker | null,
): Promise<{ uploads: BegunUpload[]; next: UploadMarker | null }> {
  const page = await bucket.send(
    new ListMultipartUploadsCommand({
      Bucket: bucket.name,
      Prefix: prefix,
      MaxUploads: uploadsPerPage,
      KeyMarker: from?.key,
      UploadIdMarker: from?.uploadId,
    }),
  );
  const uploads = (page.Uploads ?? []).map(({ Key = '', UploadId = '', Initiated }) => ({
    key: Key,
    uploadId: UploadId,
    begunAt: (Initiated?.getTime() ?? 0) / 1000,
  }));
  const { NextKeyMarker: key = '', NextUploadIdMarker: uploadId = '' } = page;
  // An endpoint that repeats itself must not keep us here.
  const goesOn = page.IsTruncated === true && key !== '' && (key !== from?.key || uploadId !== from.uploadId);
  return { uploads, next: goesOn ? { key, uploadId } : null };
}
