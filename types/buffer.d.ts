// Methods of Node's Buffer that @types/node leaves out: bytes to characters 0 … 255 and back, without a decoder's detour.
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
}
