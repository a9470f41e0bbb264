/** A file without a name: the addon's id for it is all there is. It goes when its image and its last user are gone. */
import { constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { addon, noDir, statField, statFields } from '../../native/addon/index.ts';
import { StoreError } from '../store.ts';

/** The kernel's O_TMPFILE, which node:fs does not name: O_DIRECTORY belongs to it, and differs between machines. */
const tmpFileFlag = 0o20000000 | constants.O_DIRECTORY;

function must(result: number, step: string): number {
  if (result < 0) throw new StoreError({ errno: result, step, path: 'memory' });
  return result;
}

export class MemFile {
  readonly id: number;
  #users = 0;
  #removed = false;
  #syncedSize = 0;

  constructor() {
    this.id = must(addon.openFile(noDir, tmpdir(), tmpFileFlag | constants.O_RDWR, 0o600), 'open');
  }

  get closed(): boolean {
    return this.#removed && this.#users === 0;
  }

  use(): number {
    this.#users++;
    return this.id;
  }
  release(): void {
    if (this.#users > 0) this.#users--;
    this.#closeUnused();
  }
  /** Its image is gone; those who have it open go on. */
  remove(): void {
    this.#removed = true;
    this.#closeUnused();
  }

  stat(): { size: number; physicalBytes: number } {
    const out = new Float64Array(statFields);
    must(addon.statFile(this.id, out), 'stat');
    return { size: out[statField.size], physicalBytes: out[statField.physicalBytes] };
  }
  read(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, must(addon.readBytes(this.id, bytes, length, position), 'read'));
  }
  write(position: number, bytes: Uint8Array): void {
    if (bytes.length > 0) must(addon.writeBytes(this.id, bytes, bytes.length, position), 'write');
  }
  /** Writes, and cuts the file behind. */
  replace(position: number, bytes: Uint8Array): void {
    this.write(position, bytes);
    this.cut(position + bytes.length);
  }
  cut(size: number): void {
    must(addon.truncateFile(this.id, size), 'truncate');
  }
  sync(): void {
    this.#syncedSize = this.stat().size;
  }
  losePower(): void {
    this.#users = 0;
    if (this.stat().size > this.#syncedSize) this.cut(this.#syncedSize);
  }

  #closeUnused(): void {
    if (this.closed) addon.closeFile(this.id);
  }
}
