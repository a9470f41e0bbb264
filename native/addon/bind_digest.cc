// bind_digest.cc: crc64.h, sha256.h and digest.h for JavaScript.
#include "args.h"
#include "crc64.h"
#include "digest.h"
#include "exports.h"
#include "sha256.h"

namespace vast_ost {

namespace {

constexpr int64_t chunkMax = int64_t{1} << 40;
constexpr int64_t piecesMax = int64_t{1} << 32;

Napi::Value crcBytes(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint64_t crc = args.bigint(0);
  const int64_t length = args.bytesAt(2);
  const Span<uint8_t> bytes = args.u8(1, static_cast<uint64_t>(length));
  if (args.failed()) return args.thrown();
  return Napi::BigInt::New(args.env(), crc64_update(crc, bytes.data, static_cast<size_t>(length)));
}

Napi::Value crcCombine(const Napi::CallbackInfo& info) {
  Args args(info);
  const uint64_t crcA = args.bigint(0);
  const uint64_t crcB = args.bigint(1);
  const auto lengthB = static_cast<uint64_t>(args.bytesAt(2));
  if (args.failed()) return args.thrown();
  return Napi::BigInt::New(args.env(), crc64_combine(crcA, crcB, lengthB));
}

Napi::Value crcKind(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), crc64_kind()); }

Napi::Value forcePortable(const Napi::CallbackInfo& info) {
  Args args(info);
  const bool on = args.flag(0);
  if (!args.failed()) crc64_force_portable(on);
  return args.env().Undefined();
}

Napi::Value slotDigest(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  const auto memoryOffset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  const auto imageOffset = static_cast<uint64_t>(args.bytesAt(3));
  const auto chunkBytes = static_cast<uint64_t>(args.whole(4, 1, chunkMax));
  const int32_t sha = args.id(5);
  const Span<uint64_t> crcs = args.u64(6, pieceCount(imageOffset, length, chunkBytes));
  if (args.failed()) return args.thrown();
  return args.number(digestSlot(arena, memoryOffset, length, imageOffset, chunkBytes, sha, crcs.data));
}

Napi::Value fileDigest(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  const auto pieces = static_cast<uint64_t>(args.whole(4, 0, piecesMax));
  const Span<uint64_t> expect = args.u64(3, 2 * pieces);
  const int32_t sha = args.id(5);
  if (args.failed()) return args.thrown();
  return args.number(digestFile(file, offset, length, expect.data, static_cast<size_t>(pieces), sha));
}

Napi::Value pieceSplit(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  const uint64_t expect = args.bigint(3);
  const auto count = static_cast<uint64_t>(args.whole(5, 0, piecesMax));
  const Span<uint64_t> cuts = args.u64(4, 2 * count);
  const Span<uint64_t> crcs = args.u64(6, count);
  if (args.failed()) return args.thrown();
  return args.number(splitPiece(file, offset, length, expect, cuts.data, static_cast<size_t>(count), crcs.data));
}

Napi::Value slotVerify(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  const auto memoryOffset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  const auto chunkBytes = static_cast<uint64_t>(args.whole(3, 1, chunkMax));
  const Span<uint64_t> expect = args.u64(4, pieceCount(0, length, chunkBytes));
  if (args.failed()) return args.thrown();
  return args.number(verifySlot(arena, memoryOffset, length, chunkBytes, expect.data));
}

Napi::Value openSha(const Napi::CallbackInfo& info) { return Args(info).number(shaOpen()); }

Napi::Value saveSha(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t sha = args.id(0);
  const Span<uint8_t> state = args.u8(1, shaStateBytes);
  return args.failed() ? args.thrown() : args.number(shaSave(sha, state.data));
}

Napi::Value restoreSha(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t sha = args.id(0);
  const Span<uint8_t> state = args.u8(1, shaStateBytes);
  const auto offset = static_cast<uint64_t>(args.bytesAt(2));
  return args.failed() ? args.thrown() : args.number(shaRestore(sha, state.data, offset));
}

Napi::Value digestSha(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t sha = args.id(0);
  const Span<uint8_t> out = args.u8(1, shaDigestBytes);
  return args.failed() ? args.thrown() : args.number(shaDigest(sha, out.data));
}

Napi::Value closeSha(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t sha = args.id(0);
  return args.failed() ? args.thrown() : args.number(shaClose(sha));
}

}  // namespace

void exportDigest(Napi::Env env, Napi::Object exports) {
  add<crcBytes>(env, exports, "crcBytes");
  add<crcCombine>(env, exports, "crcCombine");
  add<crcKind>(env, exports, "crcKind");
  add<forcePortable>(env, exports, "forcePortable");
  add<slotDigest>(env, exports, "digestSlot");
  add<fileDigest>(env, exports, "digestFile");
  add<pieceSplit>(env, exports, "splitPiece");
  add<slotVerify>(env, exports, "verifySlot");
  add<openSha>(env, exports, "shaOpen");
  add<saveSha>(env, exports, "shaSave");
  add<restoreSha>(env, exports, "shaRestore");
  add<digestSha>(env, exports, "shaDigest");
  add<closeSha>(env, exports, "shaClose");
}

}  // namespace vast_ost
