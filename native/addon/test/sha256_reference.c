/*
 * sha256_reference.c: SHA-256 as FIPS 180-4 writes it, over OpenSSL's struct. In the addon these functions are those of
 * the node binary; the harness is a program of its own, and a sanitizer sees into this one.
 */
#include <openssl/sha.h>
#include <string.h>

static const SHA_LONG K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static SHA_LONG rotate(SHA_LONG x, int n) { return x >> n | x << (32 - n); }

static void block(SHA256_CTX *c, const unsigned char *p) {
  SHA_LONG w[64], s[8];
  for (int i = 0; i < 16; i++, p += 4) {
    w[i] = (SHA_LONG)p[0] << 24 | (SHA_LONG)p[1] << 16 | (SHA_LONG)p[2] << 8 | p[3];
  }
  for (int i = 16; i < 64; i++) {
    const SHA_LONG a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    const SHA_LONG b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, c->h, sizeof s);
  for (int i = 0; i < 64; i++) {
    const SHA_LONG e = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
    const SHA_LONG t = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
    const SHA_LONG a = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    const SHA_LONG m = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t;
    s[0] = t + a + m;
  }
  for (int i = 0; i < 8; i++) c->h[i] += s[i];
}

int SHA256_Init(SHA256_CTX *c) {
  static const SHA_LONG start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memset(c, 0, sizeof *c);
  memcpy(c->h, start, sizeof start);
  c->md_len = 32;
  return 1;
}

int SHA256_Update(SHA256_CTX *c, const void *data, size_t length) {
  const unsigned char *p = data;
  const unsigned long long bits = ((unsigned long long)c->Nh << 32 | c->Nl) + 8ull * length;
  c->Nl = (SHA_LONG)bits;
  c->Nh = (SHA_LONG)(bits >> 32);
  while (length > 0) {
    if (c->num == 0 && length >= 64) {
      block(c, p);
      p += 64;
      length -= 64;
      continue;
    }
    ((unsigned char *)c->data)[c->num++] = *p++;
    length--;
    if (c->num == 64) {
      block(c, (const unsigned char *)c->data);
      c->num = 0;
    }
  }
  return 1;
}

int SHA256_Final(unsigned char *out, SHA256_CTX *c) {
  const unsigned long long bits = (unsigned long long)c->Nh << 32 | c->Nl;
  unsigned char length[8];
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
  SHA256_Update(c, "\x80", 1);
  while (c->num != 56) SHA256_Update(c, "", 1);
  SHA256_Update(c, length, 8);
  for (int i = 0; i < 32; i++) out[i] = (unsigned char)(c->h[i / 4] >> (24 - 8 * (i % 4)));
  return 1;
}
