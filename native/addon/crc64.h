/*
 * crc64.h: CRC-64/NVME, as S3 and NVMe have it.
 *
 * Polynomial 0xAD93D23594C93659, reflected in and out, initial value and final xor all ones;
 * check("123456789") = 0xAE8B14860A799888. Values here are finished CRCs: 0 is the CRC of nothing.
 */
#ifndef VAST_OST_CRC64_H
#define VAST_OST_CRC64_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** CRC of A followed by `bytes`, from CRC(A). Any length, any alignment, any thread. */
uint64_t crc64_update(uint64_t crc, const void *bytes, size_t length);

/** The same by tables alone: slow, and the truth that the fast one is compared with. */
uint64_t crc64_update_portable(uint64_t crc, const void *bytes, size_t length);

/** CRC of A followed by B from both CRCs and B's length in bytes; no byte is read. */
uint64_t crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t length_b);

/** "vpclmul", "pclmul" or "portable": what crc64_update uses now. */
const char *crc64_kind(void);

/** Tests: non-zero makes crc64_update portable, zero lets it choose again. */
void crc64_force_portable(int on);

#ifdef __cplusplus
}
#endif

#endif
