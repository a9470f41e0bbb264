/* numbers.h: numbers, sizes and hex digits as people and scripts write them. */
#ifndef HOST_NUMBERS_H
#define HOST_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal, or hexadecimal behind 0x; the whole text must be one number that fits. */
bool parse_number(const char *text, uint64_t *value);

/* A number, then nothing, or K M G T (also Ki KiB …): powers of 1024; KB MB GB TB: powers of 1000. */
bool parse_bytes(const char *text, uint64_t *bytes);

/* A ratio from 1 to 1000 with at most three decimals, in thousandths. */
bool parse_ratio(const char *text, uint64_t *thousandths);

/* Decodes pairs of hex digits. False: odd, no hex, or more than `capacity` bytes. */
bool parse_hex(const char *text, size_t text_length, unsigned char *bytes, size_t capacity, size_t *length);

#endif
