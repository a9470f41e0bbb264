// bind_arena.cc: arena.h for JavaScript.
#include "arena.h"
#include "args.h"
#include "exports.h"

namespace vast_ost {

namespace {

Napi::Value open(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto bytes = static_cast<uint64_t>(args.bytesAt(0));
  return args.failed() ? args.thrown() : args.number(arenaOpen(bytes));
}

Napi::Value populate(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  return args.failed() ? args.thrown() : args.number(arenaPopulate(arena, offset, length));
}

Napi::Value send(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t socket = args.id(0);
  const Span<uint8_t> frame = args.u8(1, 1);
  const int32_t arena = args.id(2);
  return args.failed() ? args.thrown() : args.number(arenaSend(socket, frame.data, frame.length, arena));
}

Napi::Value close(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  return args.failed() ? args.thrown() : args.number(arenaClose(arena));
}

Napi::Value peek(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const Span<uint8_t> out = args.u8(2, 0);
  return args.failed() ? args.thrown() : args.number(arenaPeek(arena, offset, out.data, out.length));
}

Napi::Value poke(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const Span<uint8_t> bytes = args.u8(2, 0);
  return args.failed() ? args.thrown() : args.number(arenaPoke(arena, offset, bytes.data, bytes.length));
}

}  // namespace

void exportArena(Napi::Env env, Napi::Object exports) {
  add<open>(env, exports, "arenaOpen");
  add<populate>(env, exports, "arenaPopulate");
  add<send>(env, exports, "arenaSend");
  add<close>(env, exports, "arenaClose");
  add<peek>(env, exports, "arenaPeek");
  add<poke>(env, exports, "arenaPoke");
}

}  // namespace vast_ost
