// direct_io.h: payload between slots and files. Free of Node-API. Results ≥ 0 or −errno, as in index.ts.
#ifndef VAST_OST_DIRECT_IO_H
#define VAST_OST_DIRECT_IO_H

#include <cstdint>

namespace vast_ost {

int64_t writeSlot(int32_t file, int32_t arena, uint64_t memoryOffset, uint64_t length, int64_t fileOffset);
int64_t readSlot(int32_t file, int32_t arena, uint64_t memoryOffset, uint64_t length, int64_t fileOffset);
/** `align`: a power of two, 1 … 65536. */
int64_t writeEdge(
    int32_t file, int32_t arena, uint64_t memoryOffset, uint64_t length, int64_t fileOffset, uint32_t align);
int64_t cloneFile(int32_t to, int32_t from);
int64_t copyRange(int32_t to, int32_t from, int64_t offset, uint64_t length);

}  // namespace vast_ost

#endif
