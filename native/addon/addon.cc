// addon.cc: the export table, and nothing else. index.ts says what each function promises.
#include "exports.h"

namespace {

Napi::Object start(Napi::Env env, Napi::Object exports) {
  vast_ost::exportFiles(env, exports);
  vast_ost::exportPayload(env, exports);
  vast_ost::exportDigest(env, exports);
  vast_ost::exportArena(env, exports);
  vast_ost::exportSend(env, exports);
  vast_ost::exportProcess(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(vast_ost_addon, start)
