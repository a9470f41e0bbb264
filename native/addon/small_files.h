// small_files.h: the names of a directory, each with a small file below it, read in one call.
#ifndef VAST_OST_SMALL_FILES_H
#define VAST_OST_SMALL_FILES_H

#include <cstddef>
#include <cstdint>

namespace vast_ost {

constexpr uint32_t listedMax = 512;
/** A file of so many bytes or more is left to be read by itself. */
constexpr size_t listedFileBytes = 16 * 1024;
/** Room for the longest name with the longest file that is read here. */
constexpr size_t listedBytesMin = 32 * 1024;

/**
 * Looks at up to `max` (≤ listedMax) names that are next in `list`, as far as they are in its buffer, and of each that is a
 * directory reads the file `name/suffix`. Nothing is taken from the list: skipNames does that. No symbolic link is followed.
 * Into `out`, host byte order:
 *
 *   u32 bytes in use   u32 count   count × u32 offset of an entry, 0: nothing to show
 *   entry: i32 bytes of the file, or −errno; u32 bytes of the name; name; file
 *
 * −EFBIG stands for a file that is longer. Returns the count, which is smaller where `out` has no more room; 0: the end;
 * −errno. One after the other where storage answers at once, and side by side by helper threads, which end with the call,
 * where it does not.
 */
int64_t readListed(int32_t list, const char* suffix, uint32_t max, uint8_t* out, size_t outBytes);

/** Takes up to `count` names of the list's buffer from it. Returns how many there were. */
int64_t skipNames(int32_t list, uint32_t count);

}  // namespace vast_ost

#endif
