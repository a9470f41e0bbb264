/** Frames and bodies about one open image. */
import type { Failed } from '../core/errors.ts';
import { encodeBody, encodeFrame, type FrameOf, frame, frameText } from '../core/wire.ts';
import type { ImageMeta } from '../image/meta.ts';

/** A failure that no call has asked for. */
export function failedFrame({ message, status, errno }: Failed): Buffer {
  const text = frameText(message);
  return encodeFrame('failed', frame.failed, 0, { status, sys_errno: errno, text_length: text.length }, text);
}

export function openedBody({ imageId, size, opaque }: ImageMeta, state: number): Buffer {
  return encodeBody('imageOpened', {
    image_id: Buffer.from(imageId, 'hex'),
    size,
    durable_size: size,
    state,
    metadata_length: opaque.length,
  });
}

export function closedBody(size: number, state: number): Buffer {
  return encodeBody('closed', { size, durable_size: size, state });
}

export function metadataBody(all: Uint8Array, { offset, length }: FrameOf<'metadata'>): Buffer {
  const part = all.subarray(Math.min(offset, all.length), Math.min(offset + length, all.length));
  return Buffer.concat([encodeBody('metadataRead', { length: part.length, total: all.length }), part]);
}
