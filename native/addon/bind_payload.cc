// bind_payload.cc: direct_io.h for JavaScript.
#include "args.h"
#include "direct_io.h"
#include "exports.h"

namespace vast_ost {

namespace {

template <int64_t (*call)(int32_t, int32_t, uint64_t, uint64_t, int64_t)>
Napi::Value bySlot(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const int32_t arena = args.id(1);
  const auto memoryOffset = static_cast<uint64_t>(args.bytesAt(2));
  const auto length = static_cast<uint64_t>(args.bytesAt(3));
  const int64_t fileOffset = args.bytesAt(4);
  return args.failed() ? args.thrown() : args.number(call(file, arena, memoryOffset, length, fileOffset));
}

Napi::Value edge(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const int32_t arena = args.id(1);
  const auto memoryOffset = static_cast<uint64_t>(args.bytesAt(2));
  const auto length = static_cast<uint64_t>(args.bytesAt(3));
  const int64_t fileOffset = args.bytesAt(4);
  const auto align = static_cast<uint32_t>(args.whole(5, 1, UINT32_MAX));
  if (args.failed()) return args.thrown();
  return args.number(writeEdge(file, arena, memoryOffset, length, fileOffset, align));
}

Napi::Value clone(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t to = args.id(0);
  const int32_t from = args.id(1);
  return args.failed() ? args.thrown() : args.number(cloneFile(to, from));
}

Napi::Value copy(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t to = args.id(0);
  const int32_t from = args.id(1);
  const int64_t offset = args.bytesAt(2);
  const auto length = static_cast<uint64_t>(args.bytesAt(3));
  return args.failed() ? args.thrown() : args.number(copyRange(to, from, offset, length));
}

}  // namespace

void exportPayload(Napi::Env env, Napi::Object exports) {
  add<bySlot<writeSlot>>(env, exports, "writeSlot");
  add<bySlot<readSlot>>(env, exports, "readSlot");
  add<edge>(env, exports, "writeEdge");
  add<clone>(env, exports, "cloneFile");
  add<copy>(env, exports, "copyRange");
}

}  // namespace vast_ost
