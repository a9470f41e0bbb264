// small_files.h: many small files below one directory, read in one call.
#ifndef VAST_OST_SMALL_FILES_H
#define VAST_OST_SMALL_FILES_H

#include <cstddef>
#include <cstdint>

namespace vast_ost {

constexpr uint32_t smallFilesMax = 64;
constexpr size_t smallPathBytes = 512;

/** Paths relative to the directory, each ended by NUL in its `smallPathBytes`; an empty one is refused: −ENAMETOOLONG. */
struct SmallFiles {
  uint32_t count = 0;
  char paths[smallFilesMax][smallPathBytes];
};

/**
 * Reads up to `each` bytes of every file, the i-th one's to bytes + i × each; results[i] is the count, or −errno. One
 * after the other where storage answers at once; side by side by helper threads, which end with the call, where the call
 * before found that it does not. 0, or −errno: then nothing was read.
 */
int64_t readFiles(int32_t dir, const SmallFiles& files, uint8_t* bytes, size_t each, int32_t* results);

}  // namespace vast_ost

#endif
