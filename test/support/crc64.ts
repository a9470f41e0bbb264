/** CRC-64/NVME in plain TypeScript: the plainest reading of it, for tests of pure code and to compare the addon with. */
const polynomial = 0x9a6c9329ac4bc9b5n;
const mask32 = 0xffff_ffffn;

const low = new Uint32Array(256);
const high = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  low[byte] = Number(crc & mask32);
  high[byte] = Number(crc >> 32n);
}

export function crc64(bytes: Uint8Array, crc = 0n): bigint {
  let lowWord = Number(~crc & mask32);
  let highWord = Number((~crc >> 32n) & mask32);
  for (const byte of bytes) {
    const index = (lowWord ^ byte) & 0xff;
    lowWord = ((lowWord >>> 8) | (highWord << 24)) ^ low[index]!;
    highWord = (highWord >>> 8) ^ high[index]!;
  }
  return ((BigInt(~highWord >>> 0) << 32n) | BigInt(~lowWord >>> 0)) & 0xffff_ffff_ffff_ffffn;
}
