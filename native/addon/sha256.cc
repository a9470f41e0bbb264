// sha256.cc: states in a table; saving and restoring them independently of OpenSSL's struct layout.
#include "sha256.h"

namespace vast_ost {

namespace {

constexpr size_t blockBytes = 64;
constexpr size_t words = 8;

Table<Sha, 13> states;

}  // namespace

int Sha::destroy(Sha* sha) {
  delete sha;
  return 0;
}

ShaUse::ShaUse(int32_t id) : sha_(id == 0 ? Ref<Sha>() : states.get(id)) {
  if (id == 0) return;
  if (!sha_) error_ = -EBADF;
  else if (sha_->busy.exchange(true, std::memory_order_acquire)) error_ = -EBUSY;
}

ShaUse::~ShaUse() {
  if (sha_ && error_ == 0) sha_->busy.store(false, std::memory_order_release);
}

void ShaUse::update(const uint8_t* bytes, size_t length) {
  if (sha_ && length > 0) SHA256_Update(&sha_->context, bytes, length);
}

int64_t shaOpen() {
  auto* sha = new Sha();
  SHA256_Init(&sha->context);
  const int32_t id = states.put(sha);
  if (id < 0) (void)release(sha);
  return id;
}

int64_t shaSave(int32_t sha, uint8_t* state) {
  if (sha == 0) return -EBADF;
  ShaUse use(sha);
  if (use.error() < 0) return use.error();
  if (use.context().num != 0) return -EINVAL;  // inside a block: the buffered bytes have no place in 32 bytes
  for (size_t i = 0; i < words; ++i) {
    const uint32_t word = use.context().h[i];
    for (size_t b = 0; b < 4; ++b) state[4 * i + b] = static_cast<uint8_t>(word >> (24 - 8 * b));
  }
  return 0;
}

int64_t shaRestore(int32_t sha, const uint8_t* state, uint64_t offset) {
  if (sha == 0) return -EBADF;
  if (offset % blockBytes != 0) return -EINVAL;
  ShaUse use(sha);
  if (use.error() < 0) return use.error();
  SHA256_Init(&use.context());
  for (size_t i = 0; i < words; ++i) {
    uint32_t word = 0;
    for (size_t b = 0; b < 4; ++b) word = word << 8 | state[4 * i + b];
    use.context().h[i] = word;
  }
  const uint64_t bits = offset * 8;
  use.context().Nl = static_cast<uint32_t>(bits);
  use.context().Nh = static_cast<uint32_t>(bits >> 32);
  return 0;
}

int64_t shaDigest(int32_t sha, uint8_t* out) {
  if (sha == 0) return -EBADF;
  ShaUse use(sha);
  if (use.error() < 0) return use.error();
  SHA256_CTX copy = use.context();  // finishing pads: the state itself goes on
  SHA256_Final(out, &copy);
  return 0;
}

int64_t shaClose(int32_t sha) { return states.close(sha); }

}  // namespace vast_ost
