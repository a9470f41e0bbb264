/**
 * The behaviour table as data: what each call does in each state. docs/behaviour.md shows exactly this (a test compares
 * them), behaviour.*.test.ts has one test for each cell, and the rows of images agree with engine/image/lifecycle.ts.
 */
import type { status } from '../../engine/core/errors.ts';
import { type ImageCall, type ImageState, imageCalls, imageStates } from '../../engine/image/lifecycle.ts';

export type StatusWord = Exclude<keyof typeof status, 'OK'>;

export interface Cell {
  /** What the call did; for a refusal what it left. */
  readonly effect: string;
  readonly status: 'OK' | StatusWord;
  /** Stands in the text of the failure. */
  readonly text: string;
  /** This cell is the engine's word alone: a handle for write never outlives the state. See `unreachable`. */
  readonly unreachable?: true;
}

const ok = (effect: string): Cell => ({ effect, status: 'OK', text: '' });
const no = (word: StatusWord, text: string, effect = ''): Cell => ({ effect, status: word, text });
const unreachable = (word: StatusWord, text: string): Cell => ({ effect: '', status: word, text, unreachable: true });

// --- calls on images, by the image's state --------------------------------------------------------------------------

const absent = no('ENOENT', 'there is no such image');
const exists = no('EEXIST', 'exists already');
const held = no('EBUSY', 'is being written');
const pendingRead = no('ESTATE', 'is pending: only a complete image can be read or copied');
const damaged = no('EDAMAGED', 'image.meta is damaged');
const gone = no('EGONE', 'was taken over by another writer, or deleted');
const unowned = unreachable('EGONE', 'is not held by this writer any more');
const isComplete = unreachable('ESTATE', 'is complete and can never be written again');
const isDamaged = unreachable('EDAMAGED', 'has no valid meta: it can only be deleted');

function row(absent: Cell, pending: Cell, busy: Cell, complete: Cell, damaged: Cell): Record<ImageState, Cell> {
  return { absent, pending, busy, complete, damaged };
}

export const imageTable: Readonly<Record<ImageCall, Readonly<Record<ImageState, Cell>>>> = {
  create: row(ok('busy'), exists, exists, exists, exists),
  openRead: row(absent, pendingRead, pendingRead, ok('complete'), damaged),
  openWrite: row(absent, ok('busy'), held, no('ESTATE', 'is complete and can never be written again'), damaged),
  resume: row(gone, ok('busy'), ok('busy'), ok('complete'), damaged),
  resumeOther: row(gone, gone, gone, gone, damaged),
  write: row(unowned, unowned, ok('busy'), isComplete, isDamaged),
  flush: row(unowned, unowned, ok('busy'), isComplete, isDamaged),
  writeMeta: row(unowned, unowned, ok('busy'), isComplete, isDamaged),
  closeComplete: row(unowned, unowned, ok('complete'), isComplete, isDamaged),
  closeIncomplete: row(unowned, unowned, ok('pending'), isComplete, isDamaged),
  writerGone: row(ok('absent'), ok('pending'), ok('pending'), ok('complete'), ok('damaged')),
  delete: row(absent, ok('absent'), held, ok('absent'), ok('absent')),
  copyFrom: row(absent, pendingRead, pendingRead, ok('complete'), damaged),
  copyTo: row(ok('complete'), exists, exists, exists, exists),
  properties: row(absent, ok('pending'), ok('busy'), ok('complete'), ok('damaged')),
};

export const imageCallWords: Readonly<Record<ImageCall, string>> = {
  create: '`create_image`',
  openRead: '`open_image` for reading',
  openWrite: '`open_image` for write',
  resume: 'RESUME with the writer token',
  resumeOther: 'RESUME with another token',
  write: '`write_image`',
  flush: '`flush_image`',
  writeMeta: '`write_image_meta`',
  closeComplete: '`close_image`, complete',
  closeIncomplete: '`close_image`, incomplete',
  writerGone: 'the writer vanishes',
  delete: '`delete_image`',
  copyFrom: '`copy_image` from it',
  copyTo: '`copy_image` to it',
  properties: '`get_image_prop_byname`',
};

// --- calls on an image's handle, by the handle's state ----------------------------------------------------------------

export const handleCalls = [
  'write',
  'read',
  'flush',
  'writeMeta',
  'readMeta',
  'properties',
  'closeIncomplete',
  'closeComplete',
] as const;
export type HandleCall = (typeof handleCalls)[number];

export const handleStates = [
  'write',
  'read',
  'closed',
  'failed',
  'forked',
  'engineGone',
  'notMounted',
  'null',
] as const;
export type HandleState = (typeof handleStates)[number];

export const handleStateWords: Readonly<Record<HandleState, string>> = {
  write: 'open for write',
  read: 'open for reading',
  closed: 'closed',
  failed: 'after a failure',
  forked: 'in a forked child',
  engineGone: 'the engine is gone',
  notMounted: 'the storage is not mounted',
  null: 'NULL',
};

const notReadable = no('ESTATE', 'is open for write: it cannot be read through this handle');
const notWritable = no('ESTATE', 'is open for read: it cannot be written through this handle');
const closed = no('EINVAL', '');
const otherProcess = no('ESTATE', 'the handle was made by another process');
const engineGone = no('ESOCKET', 'the engine at');
const unmounted = no('ENOTMOUNTED', 'storage not mounted');
const again = no('EINVAL', 'the first write begins at', 'the first failure again');
const none = no('EINVAL', '');

function handleRow(
  write: Cell,
  read: Cell,
  failed: Cell,
  engineGone: Cell,
  notMounted: Cell,
  inChild: Cell = otherProcess,
): Record<HandleState, Cell> {
  return { write, read, closed, failed, forked: inChild, engineGone, notMounted, null: none };
}

export const handleTable: Readonly<Record<HandleCall, Readonly<Record<HandleState, Cell>>>> = {
  write: handleRow(ok('taken'), notWritable, again, engineGone, ok('taken, not durable')),
  read: handleRow(notReadable, ok('read'), notReadable, engineGone, ok('read')),
  flush: handleRow(ok('durable'), notWritable, again, engineGone, unmounted),
  writeMeta: handleRow(ok('taken'), notWritable, again, engineGone, ok('taken, not durable')),
  readMeta: handleRow(ok('read'), ok('read'), ok('read'), engineGone, ok('read')),
  properties: handleRow(ok('read'), ok('read'), ok('read'), engineGone, ok('read')),
  closeIncomplete: handleRow(
    ok('pending'),
    ok('closed'),
    ok('pending, at its last durable size'),
    { ...engineGone, effect: 'handle freed' },
    { ...unmounted, effect: 'handle freed' },
    { ...otherProcess, effect: "the child's descriptor freed" },
  ),
  closeComplete: handleRow(
    ok('complete'),
    ok('closed'),
    { ...again, effect: 'handle freed; pending, at its last durable size' },
    { ...engineGone, effect: 'handle freed' },
    { ...unmounted, effect: 'handle freed' },
    { ...otherProcess, effect: "the child's descriptor freed" },
  ),
};

export const handleCallWords: Readonly<Record<HandleCall, string>> = {
  write: '`write_image`',
  read: '`read_image`',
  flush: '`flush_image`',
  writeMeta: '`write_image_meta`',
  readMeta: '`read_image_meta`',
  properties: '`get_image_prop`',
  closeIncomplete: '`close_image`, incomplete',
  closeComplete: '`close_image`, complete',
};

// --- calls on a server's handle -----------------------------------------------------------------------------------------

export const serverCalls = [
  'serverProp',
  'lsuProp',
  'createLsu',
  'labelLsu',
  'openLsuList',
  'openImageList',
  'createImage',
  'openImageRead',
  'openImageWrite',
  'imageProp',
  'deleteImage',
  'copyImage',
  'closeServer',
] as const;
export type ServerCall = (typeof serverCalls)[number];

export const serverStates = ['open', 'closed', 'forked', 'engineGone', 'notMounted', 'null'] as const;
export type ServerState = (typeof serverStates)[number];

export const serverStateWords: Readonly<Record<ServerState, string>> = {
  open: 'open',
  closed: 'closed',
  forked: 'in a forked child',
  engineGone: 'the engine is gone',
  notMounted: 'the storage is not mounted',
  null: 'NULL',
};

const noEngine = no('ECONNECT', 'no engine at socket');

function serverRow(open: Cell, engine: Cell = engineGone, mount: Cell = unmounted): Record<ServerState, Cell> {
  return { open, closed, forked: otherProcess, engineGone: engine, notMounted: mount, null: none };
}

export const serverTable: Readonly<Record<ServerCall, Readonly<Record<ServerState, Cell>>>> = {
  serverProp: serverRow(ok('mounted = 1'), engineGone, ok('mounted = 0')),
  lsuProp: serverRow(ok('read')),
  createLsu: serverRow(ok('made')),
  labelLsu: serverRow(ok('labelled')),
  openLsuList: serverRow(ok('a list')),
  openImageList: serverRow(ok('a list')),
  createImage: serverRow(ok('busy'), noEngine),
  openImageRead: serverRow(ok('open'), noEngine),
  openImageWrite: serverRow(ok('busy'), noEngine),
  imageProp: serverRow(ok('read')),
  deleteImage: serverRow(ok('absent')),
  copyImage: serverRow(ok('complete')),
  closeServer: {
    ...serverRow(ok('closed'), ok('closed'), ok('closed')),
    forked: { ...otherProcess, effect: "the child's descriptor freed" },
  },
};

export const serverCallWords: Readonly<Record<ServerCall, string>> = {
  serverProp: '`get_server_prop`',
  lsuProp: '`get_lsu_prop_byname`',
  createLsu: '`create_lsu`',
  labelLsu: '`label_lsu`',
  openLsuList: '`open_lsu_list`',
  openImageList: '`open_image_list`',
  createImage: '`create_image`',
  openImageRead: '`open_image` for reading',
  openImageWrite: '`open_image` for write',
  imageProp: '`get_image_prop_byname`',
  deleteImage: '`delete_image`',
  copyImage: '`copy_image`',
  closeServer: '`close_server`',
};

// --- calls on a list ------------------------------------------------------------------------------------------------------

export const listCalls = ['list', 'close'] as const;
export type ListCall = (typeof listCalls)[number];
export const listStates = ['open', 'atEnd', 'closed', 'serverClosed', 'forked', 'engineGone', 'null'] as const;
export type ListState = (typeof listStates)[number];

export const listStateWords: Readonly<Record<ListState, string>> = {
  open: 'open',
  atEnd: 'at its end',
  closed: 'closed',
  serverClosed: 'its server closed',
  forked: 'in a forked child',
  engineGone: 'the engine is gone',
  null: 'NULL',
};

export const listTable: Readonly<Record<ListCall, Readonly<Record<ListState, Cell>>>> = {
  list: {
    open: ok('an entry'),
    atEnd: no('ENOENT', 'the end of the list'),
    closed,
    serverClosed: no('EINVAL', "the list's storage server was closed before"),
    forked: otherProcess,
    engineGone,
    null: none,
  },
  close: {
    open: ok('closed'),
    atEnd: ok('closed'),
    closed,
    serverClosed: ok('closed'),
    forked: otherProcess,
    engineGone: { ...engineGone, effect: 'handle freed' },
    null: none,
  },
};

export const listCallWords: Readonly<Record<ListCall, string>> = {
  list: '`list_lsu`, `list_image`',
  close: '`close_lsu_list`, `close_image_list`',
};

// --- as it stands in docs/behaviour.md --------------------------------------------------------------------------------------

export function cellText(cell: Cell): string {
  const { effect, status, text } = cell;
  if (status === 'OK') return effect;
  const words = [`**${status}**`, text === '' ? '' : `“${text}”`].filter(Boolean).join(' ');
  return `${words}${effect === '' ? '' : `; ${effect}`}${cell.unreachable ? ' ¹' : ''}`;
}

function markdown<C extends string, S extends string>(
  corner: string,
  calls: readonly C[],
  states: readonly S[],
  callWords: Readonly<Record<C, string>>,
  stateWords: Readonly<Record<S, string>>,
  table: Readonly<Record<C, Readonly<Record<S, Cell>>>>,
): string {
  // States make the lines of each call: the texts are too long for columns.
  const lines = [`| ${corner} | state | effect; or **status** and “text” |`, '|---|---|---|'];
  for (const call of calls) {
    states.forEach((state, i) => {
      lines.push(`| ${i === 0 ? callWords[call] : ''} | ${stateWords[state]} | ${cellText(table[call][state])} |`);
    });
  }
  return lines.join('\n');
}

const same = Object.fromEntries(imageStates.map((state) => [state, state])) as Record<ImageState, string>;

/** The tables of the document, by the name of their place in it. */
export function renderTables(): Record<string, string> {
  return {
    images: markdown('call', imageCalls, imageStates, imageCallWords, same, imageTable),
    handles: markdown('call', handleCalls, handleStates, handleCallWords, handleStateWords, handleTable),
    servers: markdown('call', serverCalls, serverStates, serverCallWords, serverStateWords, serverTable),
    lists: markdown('call', listCalls, listStates, listCallWords, listStateWords, listTable),
  };
}
