/**
 * The states of an image and the calls that are legal in each: one table. The coordinator asks it before it acts; the
 * behaviour table of the documentation and the contract suite have one row and one test for each cell.
 *
 *             create                 close complete
 *    absent ─────────► busy ───────────────────────────► complete
 *       ▲               │ ▲                                 │
 *       │         close │ │ open for write                  │
 *       │    incomplete,│ │                                 │
 *       │   writer gone ▼ │                                 │
 *       └──────────── pending                               │
 *       └───────────────────────────────────────────────────┘ delete     damaged: no valid meta; may only be deleted
 */
import { status } from '../core/errors.ts';

export const imageStates = ['absent', 'pending', 'busy', 'complete', 'damaged'] as const;
export type ImageState = (typeof imageStates)[number];

export const imageCalls = [
  'create',
  'openRead',
  'openWrite',
  /** RESUME with the image's writer token, after a lost connection. */
  'resume',
  /** RESUME with another token. */
  'resumeOther',
  'write',
  'flush',
  'writeMeta',
  'closeComplete',
  'closeIncomplete',
  /** The host program vanished without a close. */
  'writerGone',
  'delete',
  'copyFrom',
  'copyTo',
  'properties',
] as const;
export type ImageCall = (typeof imageCalls)[number];

export type Refusal = 'EEXIST' | 'ENOENT' | 'EBUSY' | 'ESTATE' | 'EDAMAGED' | 'EGONE';

export type Move =
  | { readonly to: ImageState }
  /** `text` goes behind the image's name: "…: is complete and cannot be opened for write". */
  | { readonly refused: Refusal; readonly text: string };

const to = (state: ImageState): Move => ({ to: state });
const no = (refused: Refusal, text: string): Move => ({ refused, text });

const absent = no('ENOENT', 'there is no such image');
const exists = no('EEXIST', 'exists already');
const held = no('EBUSY', 'is being written');
const pendingRead = no('ESTATE', 'is pending: only a complete image can be read or copied');
const completeWrite = no('ESTATE', 'is complete and can never be written again');
const damaged = no('EDAMAGED', 'has no valid meta: it can only be deleted');
const gone = no('EGONE', 'was taken over by another writer, or deleted');
/** A call on a handle, and no handle for write can be in that state: the coordinator has freed it with the state. */
const unowned = no('EGONE', 'is not held by this writer any more');

/** Calls on a handle for write (write … closeIncomplete, writerGone) count for the writer that made the image busy. */
export const moves: Readonly<Record<ImageState, Readonly<Record<ImageCall, Move>>>> = {
  absent: {
    create: to('busy'),
    openRead: absent,
    openWrite: absent,
    resume: gone,
    resumeOther: gone,
    write: unowned,
    flush: unowned,
    writeMeta: unowned,
    closeComplete: unowned,
    closeIncomplete: unowned,
    writerGone: to('absent'),
    delete: absent,
    copyFrom: absent,
    copyTo: to('busy'),
    properties: absent,
  },
  pending: {
    create: exists,
    openRead: pendingRead,
    openWrite: to('busy'),
    resume: to('busy'),
    resumeOther: gone,
    write: unowned,
    flush: unowned,
    writeMeta: unowned,
    closeComplete: unowned,
    closeIncomplete: unowned,
    writerGone: to('pending'),
    delete: to('absent'),
    copyFrom: pendingRead,
    copyTo: exists,
    properties: to('pending'),
  },
  busy: {
    create: exists,
    openRead: pendingRead,
    openWrite: held,
    resume: to('busy'),
    resumeOther: gone,
    write: to('busy'),
    flush: to('busy'),
    writeMeta: to('busy'),
    closeComplete: to('complete'),
    closeIncomplete: to('pending'),
    writerGone: to('pending'),
    delete: held,
    copyFrom: pendingRead,
    copyTo: exists,
    properties: to('busy'),
  },
  complete: {
    create: exists,
    openRead: to('complete'),
    openWrite: completeWrite,
    resume: to('complete'),
    resumeOther: gone,
    write: completeWrite,
    flush: completeWrite,
    writeMeta: completeWrite,
    closeComplete: completeWrite,
    closeIncomplete: completeWrite,
    writerGone: to('complete'),
    delete: to('absent'),
    copyFrom: to('complete'),
    copyTo: exists,
    properties: to('complete'),
  },
  damaged: {
    create: exists,
    openRead: damaged,
    openWrite: damaged,
    resume: damaged,
    resumeOther: damaged,
    write: damaged,
    flush: damaged,
    writeMeta: damaged,
    closeComplete: damaged,
    closeIncomplete: damaged,
    writerGone: to('damaged'),
    delete: to('absent'),
    copyFrom: damaged,
    copyTo: exists,
    properties: to('damaged'),
  },
};

/** The status number of a refusal, as a reply carries it. */
export function refusalStatus(refusal: Refusal): (typeof status)[Refusal] {
  return status[refusal];
}
