/**
 * The frames of native/wire/wire.h, which is the single truth and has the comments. test/unit/wire.test.ts compiles the
 * header and compares limits, numbers and offsets with these.
 */
import {
  bytes,
  chars,
  type Fields,
  FrameError,
  type Layout,
  nested,
  readStruct,
  struct,
  type Values,
  writeStruct,
} from './layout.ts';

export const wire = {
  magic: 0x54534f56,
  major: 1,
  minor: 0,
  frameMax: 73728,
  basenameMax: 1024,
  lsuMax: 256,
  serverMax: 256,
  labelMax: 256,
  fieldMax: 256,
  jobMax: 64,
  opaqueMax: 1024,
  metadataMax: 65536,
  textMax: 1024,
  tokenBytes: 16,
  blockBytes: 512,
  slotAlign: 4096,
  slotsMax: 64,
  listsMax: 16,
  listPageMax: 256,
  listPageBytes: 65536,
  listWholeMax: 20,
  lsuPageMax: 128,
  submitsMax: 64,
  stillWorkingS: 5,
  silenceS: 30,
} as const;

export const frame = {
  hello: 1,
  status: 2,
  serverProp: 10,
  lsuListOpen: 11,
  lsuListNext: 12,
  lsuProp: 13,
  lsuCreate: 14,
  lsuLabel: 15,
  imageListOpen: 16,
  imageListNext: 17,
  listClose: 18,
  imagePropByname: 19,
  imageDelete: 20,
  imageCopy: 21,
  imageCreate: 30,
  imageOpen: 31,
  imageResume: 32,
  submit: 33,
  flush: 34,
  close: 35,
  read: 36,
  slotDone: 37,
  metadataWrite: 38,
  metadataRead: 39,
  imageProp: 40,
  arenaDropped: 41,
  populate: 42,
  reply: 128,
  stillWorking: 129,
  arena: 130,
  slotFree: 131,
  failed: 132,
  data: 133,
} as const;
export type FrameType = (typeof frame)[keyof typeof frame];

export const listState = { complete: 1, pending: 2 } as const;
export const capability = { copyImage: 1, writeRandom: 2, readMetadata: 4 } as const;
export const lsuFlag = { active: 1 } as const;
export const openMode = { read: 1, write: 2 } as const;
export const imageState = { pending: 1, created: 2, busyWrite: 4, damaged: 8 } as const;
export const closeFlag = { complete: 1 } as const;
export const copyMethod = { reflink: 1, range: 2, lanes: 3 } as const;

const token = bytes(wire.tokenBytes);
export const header = struct('wire_header', { length: 'u32', type: 'u16', flags: 'u16', call_id: 'u64' });
const h = nested(header);
const lsu = chars(wire.lsuMax);

export const imageDef = struct('wire_image_def', {
  basename: chars(wire.basenameMax),
  date: 'u64',
  policy: chars(wire.fieldMax),
  schedule: chars(wire.fieldMax),
  client: chars(wire.fieldMax),
  opaque_length: 'u32',
  reserved: 'u32',
  opaque: bytes(wire.opaqueMax),
});
const def = nested(imageDef);
export type ImageDef = Values<(typeof imageDef)['fields']>;

export const layouts = {
  hello: struct('wire_hello', {
    header: h,
    magic: 'u32',
    major: 'u16',
    minor: 'u16',
    pid: 'u32',
    reserved: 'u32',
    job: chars(wire.jobMax),
    server: chars(wire.serverMax),
  }),
  helloOk: struct('wire_hello_ok', { major: 'u16', minor: 'u16', engine_pid: 'u32', instance: token }),
  lsu: struct('wire_lsu', { header: h, lsu }),
  lsuLabel: struct('wire_lsu_label', { header: h, lsu, label: chars(wire.labelMax) }),
  list: struct('wire_list', { header: h, list: 'u32', reserved: 'u32' }),
  listOpened: struct('wire_list_opened', { list: 'u32', packed: 'u32' }),
  lsuPage: struct('wire_lsu_page', { count: 'u32', reserved: 'u32' }),
  imageListOpen: struct('wire_image_list_open', { header: h, lsu, states: 'u32', packed: 'u32' }),
  imagePage: struct('wire_image_page', { count: 'u32', reserved: 'u32' }),
  listed: struct('wire_listed', {
    date: 'u64',
    basename_length: 'u16',
    opaque_length: 'u16',
    policy_length: 'u8',
    schedule_length: 'u8',
    client_length: 'u8',
    reserved: 'u8',
  }),
  serverInfo: struct('wire_server_info', {
    capabilities: 'u64',
    block_bytes: 'u32',
    mounted: 'u32',
    server: chars(wire.serverMax),
    engine_version: chars(64),
    store: chars(32),
  }),
  lsuInfo: struct('wire_lsu_info', {
    capacity: 'u64',
    used: 'u64',
    used_phys: 'u64',
    free_bytes: 'u64',
    flags: 'u32',
    reserved: 'u32',
    label: chars(wire.labelMax),
  }),
  imageCreate: struct('wire_image_create', { header: h, token, lsu, def }),
  imageOpen: struct('wire_image_open', { header: h, token, mode: 'u32', reserved: 'u32', lsu, def }),
  imageResume: struct('wire_image_resume', { header: h, token, image_id: token, lsu, def }),
  imageOpened: struct('wire_image_opened', {
    image_id: token,
    size: 'u64',
    durable_size: 'u64',
    state: 'u32',
    metadata_length: 'u32',
  }),
  submit: struct('wire_submit', {
    header: h,
    arena: 'u32',
    slot: 'u32',
    slot_offset: 'u32',
    length: 'u32',
    offset: 'u64',
    sequence: 'u64',
  }),
  flush: struct('wire_flush', { header: h, sequence: 'u64' }),
  close: struct('wire_close', {
    header: h,
    sequence: 'u64',
    flags: 'u32',
    reserved: 'u32',
    host_wait_ns: 'u64',
    slot_wait_ns: 'u64',
    copy_ns: 'u64',
  }),
  closed: struct('wire_closed', { size: 'u64', durable_size: 'u64', state: 'u32', reserved: 'u32' }),
  read: struct('wire_read', { header: h, offset: 'u64', length: 'u32', generation: 'u32' }),
  slotDone: struct('wire_slot_done', { header: h, arena: 'u32', slot: 'u32', generation: 'u32', reserved: 'u32' }),
  metadata: struct('wire_metadata', { header: h, offset: 'u32', length: 'u32' }),
  metadataRead: struct('wire_metadata_read', { length: 'u32', total: 'u32' }),
  arenaDropped: struct('wire_arena_dropped', { header: h, arena: 'u32', reserved: 'u32' }),
  imageByname: struct('wire_image_byname', { header: h, lsu, def }),
  imageInfo: struct('wire_image_info', {
    size: 'u64',
    durable_size: 'u64',
    physical_bytes: 'u64',
    state: 'u32',
    fragments: 'u32',
    metadata_length: 'u32',
    reserved: 'u32',
    image_id: token,
    checksum: chars(80),
    def,
  }),
  imageCopy: struct('wire_image_copy', {
    header: h,
    token,
    from_lsu: lsu,
    to_lsu: lsu,
    from: def,
    to: def,
  }),
  copied: struct('wire_copied', { size: 'u64', method: 'u32', reserved: 'u32' }),
  reply: struct('wire_reply', { header: h, status: 'u32', sys_errno: 'u32', text_length: 'u32', body_length: 'u32' }),
  arena: struct('wire_arena', { header: h, arena: 'u32', slots: 'u32', slot_bytes: 'u32', first_bytes: 'u32' }),
  slotFree: struct('wire_slot_free', { header: h, arena: 'u32', slot: 'u32', sequence: 'u64' }),
  failed: struct('wire_failed', { header: h, status: 'u32', sys_errno: 'u32', text_length: 'u32', reserved: 'u32' }),
  data: struct('wire_data', {
    header: h,
    arena: 'u32',
    slot: 'u32',
    slot_offset: 'u32',
    length: 'u32',
    offset: 'u64',
    generation: 'u32',
    reserved: 'u32',
  }),
} as const;
export type Layouts = typeof layouts;
export type FrameOf<K extends keyof Layouts> = Values<Layouts[K]['fields']>;

/** What a client may send, and as what it is read. Frames with a tail say so. */
export const requests: { readonly [type: number]: { readonly layout: Layout<Fields> | null; readonly tail?: true } } = {
  [frame.hello]: { layout: layouts.hello },
  [frame.status]: { layout: null },
  [frame.serverProp]: { layout: null },
  [frame.lsuListOpen]: { layout: null },
  [frame.lsuListNext]: { layout: layouts.list },
  [frame.lsuProp]: { layout: layouts.lsu },
  [frame.lsuCreate]: { layout: layouts.lsu },
  [frame.lsuLabel]: { layout: layouts.lsuLabel },
  [frame.imageListOpen]: { layout: layouts.imageListOpen },
  [frame.imageListNext]: { layout: layouts.list },
  [frame.listClose]: { layout: layouts.list },
  [frame.imagePropByname]: { layout: layouts.imageByname },
  [frame.imageDelete]: { layout: layouts.imageByname },
  [frame.imageCopy]: { layout: layouts.imageCopy },
  [frame.imageCreate]: { layout: layouts.imageCreate },
  [frame.imageOpen]: { layout: layouts.imageOpen },
  [frame.imageResume]: { layout: layouts.imageResume },
  [frame.submit]: { layout: layouts.submit },
  [frame.flush]: { layout: layouts.flush },
  [frame.close]: { layout: layouts.close },
  [frame.read]: { layout: layouts.read },
  [frame.slotDone]: { layout: layouts.slotDone },
  [frame.metadataWrite]: { layout: layouts.metadata, tail: true },
  [frame.metadataRead]: { layout: layouts.metadata },
  [frame.imageProp]: { layout: null },
  [frame.arenaDropped]: { layout: layouts.arenaDropped },
  [frame.populate]: { layout: null },
};

/** A frame as it came, checked for type and length and copied out of the receive buffer. */
export interface Request {
  type: number;
  callId: number;
  /** Fields by the layout of its type; {} where there is none. */
  body: unknown;
  tail: Uint8Array | null;
}

/**
 * Reads one whole frame of `length` bytes at `at`. Throws FrameError on anything that wire.h does not allow.
 */
export function decodeRequest(from: Buffer, at: number, length: number): Request {
  const type = from.readUInt16LE(at + header.offsets.type);
  const known = requests[type];
  if (known === undefined) throw new FrameError(`frame type ${type} is unknown`);
  const callId = readStruct(header, from, at).call_id;
  const fixed = known.layout === null ? header.size : known.layout.size;
  if (length < fixed || (length > fixed && known.tail !== true)) {
    throw new FrameError(`frame type ${type} has ${length} bytes, expected ${fixed}`);
  }
  const body = known.layout === null ? {} : readStruct(known.layout, from, at);
  const tail = known.tail ? Uint8Array.prototype.slice.call(from, at + fixed, at + length) : null;
  return { type, callId, body, tail };
}

/** A frame of a fixed layout. `values` has all fields but the header. */
export function encodeFrame<K extends keyof Layouts>(
  kind: K,
  type: FrameType,
  callId: number,
  values: Partial<Omit<FrameOf<K>, 'header'>>,
  tail?: Uint8Array,
): Buffer {
  const layout = layouts[kind] as unknown as Layout<Fields>;
  const length = layout.size + (tail?.length ?? 0);
  const out = Buffer.alloc(length);
  writeStruct(header, { length, type, flags: 0, call_id: callId }, out, 0);
  writeStruct(layout, values as Partial<Values<Fields>>, out, 0);
  if (tail !== undefined) out.set(tail, layout.size);
  return out;
}

/** The body of a reply. */
export function encodeBody<K extends keyof Layouts>(kind: K, values: Partial<FrameOf<K>>): Buffer {
  const layout = layouts[kind] as unknown as Layout<Fields>;
  const out = Buffer.alloc(layout.size);
  writeStruct(layout, values as Partial<Values<Fields>>, out, 0);
  return out;
}

/** A frame that is a header only. */
export function encodeBare(type: FrameType, callId: number): Buffer {
  const out = Buffer.alloc(header.size);
  writeStruct(header, { length: header.size, type, flags: 0, call_id: callId }, out, 0);
  return out;
}

/** Cuts a text to what a frame carries, at a character's border. */
export function frameText(text: string): Buffer {
  const all = Buffer.from(text.replaceAll(/[\r\n]+/g, ' '), 'utf8');
  if (all.length <= wire.textMax) return all;
  let end = wire.textMax;
  while (end > 0 && ((all[end] as number) & 0xc0) === 0x80) end--;
  return all.subarray(0, end);
}

/** REPLY: header, status, text, body at the next multiple of 8. */
export function encodeReply(
  callId: number,
  status: number,
  sysErrno: number,
  text: string,
  body: Uint8Array | null,
): Buffer {
  const layout = layouts.reply;
  const words = frameText(text);
  const bodyAt = Math.ceil((layout.size + words.length) / 8) * 8;
  const bodyLength = body?.length ?? 0;
  const length = bodyLength === 0 ? layout.size + words.length : bodyAt + bodyLength;
  if (length > wire.frameMax) throw new RangeError(`a reply of ${length} bytes does not fit a frame`);
  const out = Buffer.alloc(length);
  writeStruct(header, { length, type: frame.reply, flags: 0, call_id: callId }, out, 0);
  writeStruct(layout, { status, sys_errno: sysErrno, text_length: words.length, body_length: bodyLength }, out, 0);
  out.set(words, layout.size);
  if (body !== null) out.set(body, bodyAt);
  return out;
}

/** The client's side, for the command line and tests. */
export function decodeReply(from: Buffer): {
  callId: number;
  status: number;
  sysErrno: number;
  text: string;
  body: Buffer;
} {
  const reply = readStruct(layouts.reply, from, 0);
  const textAt = layouts.reply.size;
  const bodyAt = Math.ceil((textAt + reply.text_length) / 8) * 8;
  if (reply.text_length > wire.textMax || (reply.body_length > 0 && bodyAt + reply.body_length > from.length)) {
    throw new FrameError('a reply is cut short');
  }
  return {
    callId: reply.header.call_id,
    status: reply.status,
    sysErrno: reply.sys_errno,
    text: from.toString('utf8', textAt, textAt + reply.text_length),
    body: Buffer.from(from.subarray(bodyAt, bodyAt + reply.body_length)),
  };
}
