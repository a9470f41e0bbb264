/* crc64.c: carry-less multiplication where the CPU has it, slice-by-8 tables elsewhere. */
#include "crc64.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define CRC64_PCLMUL 1
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "eight bytes are read as one little-endian word here"
#endif

/* The polynomial with x^63 in bit 0: all values here are reflected, bit 63−i stands for x^i. */
#define POLY 0x9A6C9329AC4BC9B5ull
#define FOLD_LANES 8 /* 16-byte accumulators: enough to hide the latency of the multiplier */
#define FOLD_BYTES (FOLD_LANES * 16)
#define WIDE_LANES 8 /* of 32 bytes */
#define WIDE_BYTES (WIDE_LANES * 32)
/* Below, setting up and folding together costs more than it saves. */
#define WIDE_MIN 1024

static uint64_t table[8][256];   /* table[k][b]: byte b followed by k zero bytes */
static uint64_t power_of_two[64]; /* x^(2^k) mod P */
static int force_portable;
#ifdef CRC64_PCLMUL
static int have_pclmul, have_wide;
/* Folding over n bytes: lo × x^(8n+63), hi × x^(8n−1). The product of two reflected words comes out one bit short,
 * which the −1 makes up for. fold[0] skips FOLD_BYTES, fold[1] 16 bytes, fold[2] WIDE_BYTES. */
static uint64_t fold[3][2];
#endif

/* a × b mod P, reflected. */
static uint64_t multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (uint64_t bit = 1ull << 63; bit != 0; bit >>= 1) {
    product ^= a & bit ? b : 0;
    b = (b >> 1) ^ (b & 1 ? POLY : 0);
  }
  return product;
}

/* x^n mod P */
static uint64_t power(uint64_t n) {
  uint64_t result = 1ull << 63; /* x^0 */
  for (unsigned k = 0; n != 0; n >>= 1, k++) {
    if (n & 1) result = multiply(power_of_two[k], result);
  }
  return result;
}

/* Runs when the library is loaded, before any other thread can call in: no lock is needed later. */
__attribute__((constructor)) static void prepare(void) {
  for (unsigned b = 0; b < 256; b++) {
    uint64_t crc = b;
    for (unsigned i = 0; i < 8; i++) crc = (crc >> 1) ^ (crc & 1 ? POLY : 0);
    table[0][b] = crc;
  }
  for (unsigned k = 1; k < 8; k++) {
    for (unsigned b = 0; b < 256; b++) {
      uint64_t crc = table[k - 1][b];
      table[k][b] = (crc >> 8) ^ table[0][crc & 0xff];
    }
  }
  power_of_two[0] = 1ull << 62; /* x^1 */
  for (unsigned k = 1; k < 64; k++) power_of_two[k] = multiply(power_of_two[k - 1], power_of_two[k - 1]);
#ifdef CRC64_PCLMUL
  fold[0][0] = power(8 * FOLD_BYTES + 63);
  fold[0][1] = power(8 * FOLD_BYTES - 1);
  fold[1][0] = power(8 * 16 + 63);
  fold[1][1] = power(8 * 16 - 1);
  fold[2][0] = power(8 * WIDE_BYTES + 63);
  fold[2][1] = power(8 * WIDE_BYTES - 1);
  __builtin_cpu_init();
  have_pclmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  have_wide = have_pclmul && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
#endif
}

/* Over the raw register: no inversion. */
static uint64_t by_table(uint64_t crc, const uint8_t *p, size_t length) {
  while (length >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    crc ^= word;
    crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^
          table[4][crc >> 24 & 0xff] ^ table[3][crc >> 32 & 0xff] ^ table[2][crc >> 40 & 0xff] ^
          table[1][crc >> 48 & 0xff] ^ table[0][crc >> 56];
    p += 8;
    length -= 8;
  }
  while (length-- > 0) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
  return crc;
}

#ifdef CRC64_PCLMUL
#define TARGET __attribute__((target("pclmul,sse4.1")))

/*
 *   bytes:  [lane 0][lane 1]…[lane 7] [next 128 bytes] …
 *            └──── each lane is multiplied by x^1024 and added to the same lane of the next 128 bytes
 *   at the end the lanes are folded into one, and 16 bytes are left that have the same CRC as all before them.
 */
TARGET static inline __m128i fold_over(__m128i lane, __m128i by, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(lane, by, 0x00);
  const __m128i high = _mm_clmulepi64_si128(lane, by, 0x11);
  return _mm_xor_si128(next, _mm_xor_si128(low, high));
}

/* What the lanes hold and `length` bytes behind it. */
TARGET static uint64_t fold_rest(__m128i *lanes, const __m128i *from, size_t length) {
  const __m128i by_all = _mm_set_epi64x((long long)fold[0][1], (long long)fold[0][0]);
  while (length >= FOLD_BYTES) {
    for (int i = 0; i < FOLD_LANES; i++) lanes[i] = fold_over(lanes[i], by_all, _mm_loadu_si128(from + i));
    from += FOLD_LANES;
    length -= FOLD_BYTES;
  }
  const __m128i by_one = _mm_set_epi64x((long long)fold[1][1], (long long)fold[1][0]);
  __m128i rest = lanes[0];
  for (int i = 1; i < FOLD_LANES; i++) rest = fold_over(rest, by_one, lanes[i]);
  while (length >= 16) {
    rest = fold_over(rest, by_one, _mm_loadu_si128(from));
    from++;
    length -= 16;
  }
  uint8_t last[16];
  _mm_storeu_si128((__m128i *)(void *)last, rest);
  return by_table(by_table(0, last, sizeof last), (const uint8_t *)from, length);
}

TARGET static uint64_t by_pclmul(uint64_t crc, const uint8_t *p, size_t length) {
  const __m128i *from = (const __m128i *)(const void *)p;
  __m128i lanes[FOLD_LANES];
  for (int i = 0; i < FOLD_LANES; i++) lanes[i] = _mm_loadu_si128(from + i);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi64_si128((long long)crc));
  return fold_rest(lanes, from + FOLD_LANES, length - FOLD_BYTES);
}

#define TARGET_WIDE __attribute__((target("vpclmulqdq,avx2,pclmul,sse4.1")))

/* The same with two lanes in a register. At the end the first half of them is folded over the second one. */
TARGET_WIDE static uint64_t by_vpclmul(uint64_t crc, const uint8_t *p, size_t length) {
  const __m256i *from = (const __m256i *)(const void *)p;
  __m256i wide[WIDE_LANES];
  for (int i = 0; i < WIDE_LANES; i++) wide[i] = _mm256_loadu_si256(from + i);
  wide[0] = _mm256_xor_si256(wide[0], _mm256_set_epi64x(0, 0, 0, (long long)crc));
  from += WIDE_LANES;
  length -= WIDE_BYTES;
  const long long low = (long long)fold[2][0], high = (long long)fold[2][1];
  const __m256i by = _mm256_set_epi64x(high, low, high, low);
  while (length >= WIDE_BYTES) {
    for (int i = 0; i < WIDE_LANES; i++) {
      const __m256i product = _mm256_xor_si256(
          _mm256_clmulepi64_epi128(wide[i], by, 0x00), _mm256_clmulepi64_epi128(wide[i], by, 0x11));
      wide[i] = _mm256_xor_si256(product, _mm256_loadu_si256(from + i));
    }
    from += WIDE_LANES;
    length -= WIDE_BYTES;
  }
  const __m128i by_all = _mm_set_epi64x((long long)fold[0][1], (long long)fold[0][0]);
  __m128i all[2 * WIDE_LANES], lanes[FOLD_LANES];
  for (int i = 0; i < WIDE_LANES; i++) {
    all[2 * i] = _mm256_castsi256_si128(wide[i]);
    all[2 * i + 1] = _mm256_extracti128_si256(wide[i], 1);
  }
  for (int i = 0; i < FOLD_LANES; i++) lanes[i] = fold_over(all[i], by_all, all[FOLD_LANES + i]);
  return fold_rest(lanes, (const __m128i *)(const void *)from, length);
}
_Static_assert(WIDE_BYTES == 2 * FOLD_BYTES, "the first half is folded over the second");
#endif

uint64_t crc64_update_portable(uint64_t crc, const void *bytes, size_t length) {
  return ~by_table(~crc, bytes, length);
}

uint64_t crc64_update(uint64_t crc, const void *bytes, size_t length) {
#ifdef CRC64_PCLMUL
  if (length >= FOLD_BYTES && have_pclmul && !__atomic_load_n(&force_portable, __ATOMIC_RELAXED)) {
    return ~(have_wide && length >= WIDE_MIN ? by_vpclmul : by_pclmul)(~crc, bytes, length);
  }
#endif
  return crc64_update_portable(crc, bytes, length);
}

uint64_t crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t length_b) {
  /* 8 × length_b as an exponent would overflow above 2^61: three squarings of x^length_b say the same. */
  uint64_t shift = power(length_b);
  for (int i = 0; i < 3; i++) shift = multiply(shift, shift);
  return multiply(shift, crc_a) ^ crc_b;
}

const char *crc64_kind(void) {
#ifdef CRC64_PCLMUL
  if (have_pclmul && !__atomic_load_n(&force_portable, __ATOMIC_RELAXED)) return have_wide ? "vpclmul" : "pclmul";
#endif
  return "portable";
}

void crc64_force_portable(int on) { __atomic_store_n(&force_portable, on, __ATOMIC_RELAXED); }
