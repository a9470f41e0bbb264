/* crc32.h: the CRC-32 of zlib and gzip (node:zlib.crc32 computes the same), to name what was read in one number. */
#ifndef HOST_CRC32_H
#define HOST_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_of(uint32_t crc, const void *bytes, size_t length); /* start with 0 */

#endif
