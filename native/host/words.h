/*
 * words.h: test data that anybody can compute for any range, independently.
 *
 * gen(seed, offset), all arithmetic modulo 2^64:
 *
 *   G         = 0x9e3779b97f4a7c15
 *   mix(z)    : z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
 *               z = (z ^ (z >> 27)) * 0x94d049bb133111eb
 *               z ^ (z >> 31)
 *   key(seed) = mix(seed + G)
 *   word(i)   = mix(key(seed) + (i + 1) * G)                  (splitmix64, started at key)
 *   the byte at image offset o is byte o % 8, lowest first, of word(o / 8)
 *
 * The key is mixed so that no two seeds give the same words at shifted or swapped places: data at a wrong offset, or of
 * a wrong write, is then always seen.
 */
#ifndef HOST_WORDS_H
#define HOST_WORDS_H

#include <stddef.h>
#include <stdint.h>

uint64_t words_at(uint64_t seed, uint64_t index);

/* Fills bytes[0 … length) with gen(seed, offset …). */
void words_fill(uint64_t seed, uint64_t offset, void *bytes, size_t length);

/* Index of the first byte that is not gen(seed, offset + index); `length` when all are. */
size_t words_mismatch(uint64_t seed, uint64_t offset, const void *bytes, size_t length);

/* How many bytes are the same up to the first that is not. */
size_t words_same(const unsigned char *expected, const unsigned char *bytes, size_t length);

#endif
