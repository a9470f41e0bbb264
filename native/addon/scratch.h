// scratch.h: aligned memory of the calling thread for reads that do not go to a slot.
#ifndef VAST_OST_SCRATCH_H
#define VAST_OST_SCRATCH_H

#include <cstddef>
#include <cstdint>

namespace vast_ost {

/** Direct I/O needs this of memory, offset and length where the kernel does not tell. */
constexpr size_t scratchAlign = 4096;
/** No piece of a digest order is longer. */
constexpr size_t scratchBytes = size_t{1} << 20;
/** A piece that begins and ends inside sectors is read with both of them. */
constexpr size_t scratchRoom = scratchBytes + 2 * scratchAlign;

/** `scratchRoom` bytes, made at the first use by a thread and freed with it. Null when memory is short. */
uint8_t* scratch();

}  // namespace vast_ost

#endif
