/** Pages of a list of images, as they are filled and sent. */
import { assert } from './assert.ts';
import { writeStruct } from './layout.ts';
import { type ImageDef, imageDef, layouts, wire } from './wire.ts';

export type ListedDef = Partial<Omit<ImageDef, 'opaque_length' | 'reserved'>>;

export interface ImagePage {
  readonly count: number;
  /** False: there is no room for it. An empty page has room for any. */
  add(def: ListedDef): boolean;
  clear(): void;
  /** The body of the reply, in memory of its own. */
  take(): Buffer;
}

const headBytes = layouts.imagePage.size;
const entryBytes = layouts.listed.size;
const at = layouts.listed.offsets;
const align = 8;
const nothing = new Uint8Array(0);

/** Definitions as short as they are, one behind the other (struct wire_listed). */
export class PackedPage implements ImagePage {
  readonly #bytes = Buffer.alloc(headBytes + wire.listPageBytes);
  #count = 0;
  #end = headBytes;

  get count(): number {
    return this.#count;
  }

  add({ basename = '', date = 0, policy = '', schedule = '', client = '', opaque = nothing }: ListedDef): boolean {
    const used = entryBytes + basename.length + policy.length + schedule.length + client.length + opaque.length;
    const from = this.#end;
    const end = from + Math.ceil(used / align) * align;
    if (this.#count === wire.listPageMax || end > this.#bytes.length) return false;
    assert(basename.length > 0 && basename.length < wire.basenameMax, 'a name fits its field');
    assert(opaque.length <= wire.opaqueMax, 'opaque bytes fit their field');
    const bytes = this.#bytes;
    bytes.writeUInt32LE(date % 0x1_0000_0000, from + at.date);
    bytes.writeUInt32LE(Math.floor(date / 0x1_0000_0000), from + at.date + 4);
    bytes.writeUInt16LE(basename.length, from + at.basename_length);
    bytes.writeUInt16LE(opaque.length, from + at.opaque_length);
    // What is too long for its byte throws.
    bytes.writeUInt8(policy.length, from + at.policy_length);
    bytes.writeUInt8(schedule.length, from + at.schedule_length);
    bytes.writeUInt8(client.length, from + at.client_length);
    bytes[from + at.reserved] = 0;
    let to = from + entryBytes;
    for (const text of [basename, policy, schedule, client]) to += bytes.latin1Write(text, to);
    bytes.set(opaque, to);
    bytes.fill(0, from + used, end);
    this.#count++;
    this.#end = end;
    return true;
  }

  clear(): void {
    this.#count = 0;
    this.#end = headBytes;
  }

  take(): Buffer {
    this.#bytes.writeUInt32LE(this.#count, layouts.imagePage.offsets.count);
    return Buffer.from(this.#bytes.subarray(0, this.#end));
  }
}

/** Whole definitions (struct wire_image_def), for plug-ins that know no others. */
export class WholePage implements ImagePage {
  readonly #bytes = Buffer.alloc(headBytes + wire.listWholeMax * imageDef.size);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(def: ListedDef): boolean {
    if (this.#count === wire.listWholeMax) return false;
    const from = headBytes + this.#count * imageDef.size;
    this.#bytes.fill(0, from, from + imageDef.size);
    writeStruct(imageDef, { ...def, opaque_length: def.opaque?.length ?? 0 }, this.#bytes, from);
    this.#count++;
    return true;
  }

  clear(): void {
    this.#count = 0;
  }

  take(): Buffer {
    this.#bytes.writeUInt32LE(this.#count, layouts.imagePage.offsets.count);
    return Buffer.from(this.#bytes.subarray(0, headBytes + this.#count * imageDef.size));
  }
}
