// exports.h: each bind_*.cc hangs its functions onto the module's exports.
#ifndef VAST_OST_EXPORTS_H
#define VAST_OST_EXPORTS_H

#include <napi.h>

namespace vast_ost {

/** One function on the exports, under the name that index.ts has for it. */
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void add(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<function>(env, name));
}

void exportFiles(Napi::Env env, Napi::Object exports);
void exportPayload(Napi::Env env, Napi::Object exports);
void exportDigest(Napi::Env env, Napi::Object exports);
void exportArena(Napi::Env env, Napi::Object exports);
void exportSend(Napi::Env env, Napi::Object exports);
void exportProcess(Napi::Env env, Napi::Object exports);

}  // namespace vast_ost

#endif
