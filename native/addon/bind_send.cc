// bind_send.cc: send.h for JavaScript. Each send has a threadsafe function of its own, which keeps the loop alive.
#include "args.h"
#include "exports.h"
#include "send.h"

namespace vast_ost {

namespace {

struct Told {
  int64_t result;
  uint64_t cpuNs;
};

/** On the sending thread. */
void ended(void* context, int64_t result, uint64_t cpuNs) {
  const auto bell = static_cast<napi_threadsafe_function>(context);
  auto* told = new Told{result, cpuNs};
  if (napi_call_threadsafe_function(bell, told, napi_tsfn_nonblocking) == napi_ok) {
    napi_release_threadsafe_function(bell, napi_tsfn_release);
  } else {
    delete told;  // the environment is going away, and counts this thread no more
  }
}

/** On the environment's own thread. */
void call(napi_env env, napi_value function, void*, void* data) {
  const auto* told = static_cast<const Told*>(data);
  if (env != nullptr) {
    napi_value receiver = nullptr;
    napi_value words[2] = {};
    napi_get_undefined(env, &receiver);
    napi_create_double(env, static_cast<double>(told->result), &words[0]);
    napi_create_double(env, static_cast<double>(told->cpuNs), &words[1]);
    if (napi_call_function(env, receiver, function, 2, words, nullptr) == napi_pending_exception) {
      napi_value exception = nullptr;
      napi_get_and_clear_last_exception(env, &exception);
      napi_fatal_exception(env, exception);
    }
  }
  delete told;
}

/** After the last call; or when the environment ends before: nobody would hear of this send any more. */
void dropBell(napi_env, void* data, void*) {
  auto* id = static_cast<int32_t*>(data);
  if (*id > 0) (void)sendStop(*id);
  delete id;
}

Napi::Value send(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t socket = args.id(0);
  const int32_t arena = args.id(1);
  const auto offset = static_cast<uint64_t>(args.bytesAt(2));
  const auto length = static_cast<uint64_t>(args.bytesAt(3));
  const auto idleMs = static_cast<int>(args.whole(4, 1, INT32_MAX));
  const auto leastBytes = static_cast<uint64_t>(args.bytesAt(5));
  const Napi::Function told = args.function(6);
  if (args.failed()) return args.thrown();
  napi_value name = nullptr;
  napi_create_string_utf8(args.env(), "vast-ost send", NAPI_AUTO_LENGTH, &name);
  auto* id = new int32_t(0);
  napi_threadsafe_function bell = nullptr;
  if (napi_create_threadsafe_function(
          args.env(), told, nullptr, name, 0, 1, id, dropBell, nullptr, call, &bell) != napi_ok) {
    delete id;
    return args.number(-ENOMEM);
  }
  const int64_t result = sendOpen(socket, arena, offset, length, idleMs, leastBytes, ended, bell);
  if (result > 0) *id = static_cast<int32_t>(result);
  else napi_release_threadsafe_function(bell, napi_tsfn_abort);
  return args.number(result);
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t id = args.id(0);
  return args.failed() ? args.thrown() : args.number(sendStop(id));
}

Napi::Value isLast(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t id = args.id(0);
  return args.failed() ? args.thrown() : args.number(sendIsLast(id));
}

}  // namespace

void exportSend(Napi::Env env, Napi::Object exports) {
  add<send>(env, exports, "sendSlot");
  add<stop>(env, exports, "stopSend");
  add<isLast>(env, exports, "sendIsLast");
}

}  // namespace vast_ost
