// bind_files.cc: files.h for JavaScript.
#include "args.h"
#include "exports.h"
#include "files.h"
#include "small_files.h"

namespace vast_ost {

namespace {

constexpr int64_t flagsMax = INT32_MAX;
constexpr int64_t modeMax = 07777;

/** The calls whose only argument is a file. */
template <int64_t (*call)(int32_t)>
Napi::Value byFile(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  return args.failed() ? args.thrown() : args.number(call(file));
}

/** The calls with two directories and two paths. */
template <class Call>
Napi::Value byTwoPaths(Args& args, Call call) {
  Path from;
  Path to;
  const int32_t fromDir = args.id(0);
  args.path(1, from);
  const int32_t toDir = args.id(2);
  args.path(3, to);
  if (args.failed()) return args.thrown();
  const int error = from.error != 0 ? from.error : to.error;
  return args.number(error != 0 ? error : call(fromDir, from.text, toDir, to.text));
}

Napi::Value open(const Napi::CallbackInfo& info) {
  Args args(info);
  Path path;
  const int32_t dir = args.id(0);
  args.path(1, path);
  const auto flags = static_cast<int>(args.whole(2, 0, flagsMax));
  const auto mode = static_cast<mode_t>(args.whole(3, 0, modeMax));
  if (args.failed()) return args.thrown();
  return args.number(path.error != 0 ? path.error : openFile(dir, path.text, flags, mode));
}

Napi::Value make(const Napi::CallbackInfo& info) {
  Args args(info);
  Path path;
  const int32_t dir = args.id(0);
  args.path(1, path);
  const auto mode = static_cast<mode_t>(args.whole(2, 0, modeMax));
  if (args.failed()) return args.thrown();
  return args.number(path.error != 0 ? path.error : makeDir(dir, path.text, mode));
}

Napi::Value rename(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto flags = static_cast<unsigned>(args.whole(4, 0, 1));
  return byTwoPaths(args, [flags](int32_t fromDir, const char* from, int32_t toDir, const char* to) {
    return renameFile(fromDir, from, toDir, to, flags);
  });
}

Napi::Value link(const Napi::CallbackInfo& info) {
  Args args(info);
  return byTwoPaths(args, linkFile);
}

Napi::Value unlink(const Napi::CallbackInfo& info) {
  Args args(info);
  Path path;
  const int32_t dir = args.id(0);
  args.path(1, path);
  const auto flags = static_cast<int>(args.whole(2, 0, flagsMax));
  if (args.failed()) return args.thrown();
  return args.number(path.error != 0 ? path.error : unlinkFile(dir, path.text, flags));
}

Napi::Value truncate(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const int64_t size = args.bytesAt(1);
  return args.failed() ? args.thrown() : args.number(truncateFile(file, size));
}

Napi::Value chmod(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const auto mode = static_cast<mode_t>(args.whole(1, 0, modeMax));
  return args.failed() ? args.thrown() : args.number(changeMode(file, mode));
}

Napi::Value stat(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const Span<double> out = args.f64(1, statFields);
  return args.failed() ? args.thrown() : args.number(statFile(file, out.data));
}

template <int64_t (*call)(int32_t, const char*, double*)>
Napi::Value statPath(const Napi::CallbackInfo& info) {
  Args args(info);
  Path path;
  const int32_t dir = args.id(0);
  args.path(1, path);
  const Span<double> out = args.f64(2, statFields);
  if (args.failed()) return args.thrown();
  return args.number(path.error != 0 ? path.error : call(dir, path.text, out.data));
}

Napi::Value statSystem(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const Span<double> out = args.f64(1, fsFields);
  return args.failed() ? args.thrown() : args.number(statFileSystem(file, out.data));
}

Napi::Value write(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const int64_t length = args.bytesAt(2);
  const int64_t position = args.bytesAt(3);
  const Span<uint8_t> bytes = args.u8(1, static_cast<uint64_t>(length));
  if (args.failed()) return args.thrown();
  return args.number(writeBytes(file, bytes.data, static_cast<size_t>(length), position));
}

Napi::Value read(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t file = args.id(0);
  const int64_t length = args.bytesAt(2);
  const int64_t position = args.bytesAt(3);
  const Span<uint8_t> bytes = args.u8(1, static_cast<uint64_t>(length));
  if (args.failed()) return args.thrown();
  return args.number(readBytes(file, bytes.data, static_cast<size_t>(length), position));
}

Napi::Value listOpen(const Napi::CallbackInfo& info) {
  Args args(info);
  Path path;
  const int32_t dir = args.id(0);
  args.path(1, path);
  if (args.failed()) return args.thrown();
  return args.number(path.error != 0 ? path.error : openList(dir, path.text));
}

struct Names {
  Napi::Env env;
  Napi::Array array;
  uint32_t count = 0;
};

Napi::Value listNext(const Napi::CallbackInfo& info) {
  constexpr int64_t namesMax = 4096;  // a longer answer would only hold the caller up
  Args args(info);
  const int32_t list = args.id(0);
  const int64_t max = args.whole(1, 1, UINT32_MAX);
  if (args.failed()) return args.thrown();
  Names names = {args.env(), Napi::Array::New(args.env())};
  const auto take = [](void* context, const char* name) {
    auto* into = static_cast<Names*>(context);
    napi_value text = nullptr;
    // Latin-1: one code unit a byte, so that any name keeps its bytes.
    if (napi_create_string_latin1(into->env, name, NAPI_AUTO_LENGTH, &text) != napi_ok) return;
    napi_set_element(into->env, into->array, into->count++, text);
  };
  const int64_t result = nextNames(list, static_cast<uint32_t>(max < namesMax ? max : namesMax), take, &names);
  return result < 0 ? args.number(result) : names.array;
}

/** readListed(list, suffix, max, out). */
Napi::Value listRead(const Napi::CallbackInfo& info) {
  Args args(info);
  Path suffix;
  const int32_t list = args.id(0);
  args.path(1, suffix);
  const auto max = static_cast<uint32_t>(args.whole(2, 1, listedMax));
  const Span<uint8_t> out = args.u8(3, listedBytesMin);
  if (args.failed()) return args.thrown();
  return args.number(suffix.error != 0 ? suffix.error : readListed(list, suffix.text, max, out.data, out.length));
}

Napi::Value listSkip(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t list = args.id(0);
  const auto count = static_cast<uint32_t>(args.whole(1, 0, listedMax));
  return args.failed() ? args.thrown() : args.number(skipNames(list, count));
}

}  // namespace

void exportFiles(Napi::Env env, Napi::Object exports) {
  add<open>(env, exports, "openFile");
  add<byFile<closeFile>>(env, exports, "closeFile");
  add<make>(env, exports, "makeDir");
  add<rename>(env, exports, "renameFile");
  add<link>(env, exports, "linkFile");
  add<unlink>(env, exports, "unlinkFile");
  add<byFile<syncFile>>(env, exports, "syncFile");
  add<byFile<syncData>>(env, exports, "syncData");
  add<byFile<startWriteback>>(env, exports, "startWriteback");
  add<truncate>(env, exports, "truncateFile");
  add<chmod>(env, exports, "changeMode");
  add<stat>(env, exports, "statFile");
  add<statPath<statAt>>(env, exports, "statAt");
  add<statPath<statLink>>(env, exports, "statLink");
  add<statSystem>(env, exports, "statFileSystem");
  add<write>(env, exports, "writeBytes");
  add<read>(env, exports, "readBytes");
  add<byFile<lockFile>>(env, exports, "lockFile");
  add<listOpen>(env, exports, "openList");
  add<listNext>(env, exports, "nextNames");
  add<listRead>(env, exports, "readListed");
  add<listSkip>(env, exports, "skipNames");
  add<byFile<closeList>>(env, exports, "closeList");
}

}  // namespace vast_ost
