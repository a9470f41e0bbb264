/*
 * sha256.h: SHA-256 states by id. Free of Node-API.
 *
 * The arithmetic is OpenSSL's: SHA256_* are exported by the node binary, and its package carries their headers. Unlike
 * node:crypto's, such a state can be saved as eight words at any multiple of 64 bytes and taken up by another engine.
 */
#ifndef VAST_OST_SHA256_H
#define VAST_OST_SHA256_H

#include <cstddef>
#include <cstdint>

#include <openssl/sha.h>

#include "table.h"

namespace vast_ost {

constexpr size_t shaStateBytes = 32;
constexpr size_t shaDigestBytes = 32;

struct Sha : Counted<Sha> {
  SHA256_CTX context;
  /** Bytes hashed in order have one owner at a time; a second caller gets −EBUSY. */
  std::atomic<bool> busy{false};
  static int destroy(Sha* sha);
};

/** The exclusive use of a state for one call. Id 0: none, and every update is nothing. */
class ShaUse {
 public:
  explicit ShaUse(int32_t id);
  ~ShaUse();
  ShaUse(const ShaUse&) = delete;
  ShaUse& operator=(const ShaUse&) = delete;
  /** 0, −EBADF or −EBUSY. */
  int error() const { return error_; }
  void update(const uint8_t* bytes, size_t length);
  SHA256_CTX& context() { return sha_->context; }

 private:
  Ref<Sha> sha_;
  int error_ = 0;
};

int64_t shaOpen();
int64_t shaSave(int32_t sha, uint8_t* state);
int64_t shaRestore(int32_t sha, const uint8_t* state, uint64_t offset);
int64_t shaDigest(int32_t sha, uint8_t* out);
int64_t shaClose(int32_t sha);

}  // namespace vast_ost

#endif
