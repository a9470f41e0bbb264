// digest.h: checksums over slots and files, in one pass. Free of Node-API. Results as in index.ts.
#ifndef VAST_OST_DIGEST_H
#define VAST_OST_DIGEST_H

#include <cstddef>
#include <cstdint>

namespace vast_ost {

/** Pieces between chunk borders that [imageOffset, imageOffset + length) falls into. chunkBytes > 0. */
uint64_t pieceCount(uint64_t imageOffset, uint64_t length, uint64_t chunkBytes);

/** `crcs` has room for pieceCount values. */
int64_t digestSlot(
    int32_t arena, uint64_t memoryOffset, uint64_t length, uint64_t imageOffset, uint64_t chunkBytes, int32_t sha,
    uint64_t* crcs);

/** `expect`: `pieces` pairs (length, crc). −EINVAL when they do not partition the range or one is above 1 MiB. */
int64_t digestFile(int32_t file, uint64_t offset, uint64_t length, const uint64_t* expect, size_t pieces, int32_t sha);

/** `cuts`: `count` pairs (offset, length) inside the piece, else −EINVAL. */
int64_t splitPiece(
    int32_t file, uint64_t offset, uint64_t length, uint64_t expect, const uint64_t* cuts, size_t count,
    uint64_t* crcs);

/** `expect` holds one CRC for each chunk begun. */
int64_t verifySlot(
    int32_t arena, uint64_t memoryOffset, uint64_t length, uint64_t chunkBytes, const uint64_t* expect);

}  // namespace vast_ost

#endif
