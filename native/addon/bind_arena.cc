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

Napi::Value makeHuge(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  return args.failed() ? args.thrown() : args.number(arenaMakeHuge(arena, offset, length));
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

Napi::Value renew(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t arena = args.id(0);
  return args.failed() ? args.thrown() : args.number(arenaRenew(arena));
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

Napi::Value bytes(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t id = args.id(0);
  if (args.failed()) return args.thrown();
  const Ref<Arena> arena = getArena(id);
  return args.number(arena ? static_cast<int64_t>(arena->bytes) : -EBADF);
}

/** Runs in the loop of the thread that made the view, after its buffer was detached or collected. */
void dropView(napi_env, void*, void* hint) { delete static_cast<Ref<Arena>*>(hint); }

Napi::Value view(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t id = args.id(0);
  const auto offset = static_cast<uint64_t>(args.bytesAt(1));
  const auto length = static_cast<uint64_t>(args.bytesAt(2));
  if (args.failed()) return args.thrown();
  Ref<Arena> arena = getArena(id);
  if (!arena) return args.number(-EBADF);
  if (length == 0 || !arena->holds(offset, length)) return args.number(-EFAULT);
  const Napi::Env env = info.Env();
  uint8_t* from = arena->memory + offset;
  auto* held = new Ref<Arena>(std::move(arena));
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, from, length, dropView, held, &buffer) != napi_ok) {
    delete held;
    return args.number(-ENOMEM);
  }
  return Napi::Uint8Array::New(env, length, Napi::ArrayBuffer(env, buffer), 0);
}

Napi::Value detach(const Napi::CallbackInfo& info) {
  Args args(info);
  const Span<uint8_t> bytes = args.u8(0, 0);
  if (args.failed()) return args.thrown();
  if (bytes.length == 0) return args.number(0);
  const Napi::ArrayBuffer buffer = info[0].As<Napi::Uint8Array>().ArrayBuffer();
  return args.number(napi_detach_arraybuffer(info.Env(), buffer) == napi_ok ? 0 : -EINVAL);
}

}  // namespace

void exportArena(Napi::Env env, Napi::Object exports) {
  add<open>(env, exports, "arenaOpen");
  add<populate>(env, exports, "arenaPopulate");
  add<makeHuge>(env, exports, "arenaMakeHuge");
  add<send>(env, exports, "arenaSend");
  add<close>(env, exports, "arenaClose");
  add<renew>(env, exports, "arenaRenew");
  add<peek>(env, exports, "arenaPeek");
  add<poke>(env, exports, "arenaPoke");
  add<bytes>(env, exports, "arenaBytes");
  add<view>(env, exports, "arenaView");
  add<detach>(env, exports, "arenaDetach");
}

}  // namespace vast_ost
