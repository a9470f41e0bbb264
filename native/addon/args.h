/*
 * args.h: reading the arguments of one call.
 *
 * A wrong type or a number out of its range is a bug of the caller and throws; the first such argument is named. After
 * it every further read gives a harmless value, and `failed()` is looked at once, before anything is done.
 */
#ifndef VAST_OST_ARGS_H
#define VAST_OST_ARGS_H

#include <napi.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>

namespace vast_ost {

/** A path of the caller's, as the bytes of its UTF-8. */
struct Path {
  char text[PATH_MAX + 1];
  /** 0, −ENAMETOOLONG, −EINVAL (a NUL inside), −ENOENT (empty). */
  int error = 0;
};

template <class Element>
struct Span {
  Element* data = nullptr;
  size_t length = 0;
};

class Args {
 public:
  explicit Args(const Napi::CallbackInfo& info) : env_(info.Env()), info_(info) {}

  bool failed() const { return failed_; }

  /** A whole number in [min, max]. */
  int64_t whole(size_t index, int64_t min, int64_t max) {
    double value = 0;
    if (napi_get_value_double(env_, info_[index], &value) != napi_ok) return wrong(index, "a number"), min;
    if (!(value >= static_cast<double>(min) && value <= static_cast<double>(max)) ||
        value != static_cast<double>(static_cast<int64_t>(value))) {
      return outOfRange(index), min;
    }
    return static_cast<int64_t>(value);
  }
  /** An id, or a negative number where an earlier call failed: the tables answer that with −EBADF. */
  int32_t id(size_t index) { return static_cast<int32_t>(whole(index, INT32_MIN, INT32_MAX)); }
  /** An offset or a length. */
  int64_t bytesAt(size_t index) { return whole(index, 0, bytesMax); }
  bool flag(size_t index) {
    bool value = false;
    if (napi_get_value_bool(env_, info_[index], &value) != napi_ok) wrong(index, "a boolean");
    return value;
  }
  uint64_t bigint(size_t index) {
    uint64_t value = 0;
    bool lossless = false;
    if (napi_get_value_bigint_uint64(env_, info_[index], &value, &lossless) != napi_ok) wrong(index, "a bigint");
    else if (!lossless) outOfRange(index);
    return value;
  }
  /** Elements of an array, at most `max`. */
  uint32_t countOf(size_t index, uint32_t max) {
    uint32_t count = 0;
    if (!info_[index].IsArray() || napi_get_array_length(env_, info_[index], &count) != napi_ok) {
      return wrong(index, "an array"), 0;
    }
    if (count > max) return outOfRange(index), 0;
    return count;
  }
  void path(size_t index, Path& path) {
    size_t length = 0;
    if (napi_get_value_string_utf8(env_, info_[index], path.text, sizeof path.text, &length) != napi_ok) {
      path.text[0] = '\0';
      wrong(index, "a string");
      return;
    }
    if (length >= PATH_MAX) path.error = -ENAMETOOLONG;
    else if (strlen(path.text) != length) path.error = -EINVAL;  // would end there, and name another file
    else if (length == 0) path.error = -ENOENT;
  }
  /** Typed arrays, over shared memory or not, with at least `least` elements. */
  Span<uint8_t> u8(size_t index, uint64_t least) { return array<uint8_t>(index, napi_uint8_array, least, "a Uint8Array"); }
  Span<int32_t> i32(size_t index, uint64_t least) {
    return array<int32_t>(index, napi_int32_array, least, "an Int32Array");
  }
  Span<double> f64(size_t index, uint64_t least) {
    return array<double>(index, napi_float64_array, least, "a Float64Array");
  }
  Span<uint64_t> u64(size_t index, uint64_t least) {
    return array<uint64_t>(index, napi_biguint64_array, least, "a BigUint64Array");
  }
  Napi::Function function(size_t index) {
    if (!info_[index].IsFunction()) wrong(index, "a function");
    return info_[index].As<Napi::Function>();
  }

  Napi::Value number(int64_t result) const { return Napi::Number::New(env_, static_cast<double>(result)); }
  /** What a call returns that has thrown. */
  Napi::Value thrown() const { return env_.Undefined(); }
  Napi::Env env() const { return env_; }

  void outOfRange(size_t index) { fail(index, "out of range", true); }

 private:
  static constexpr int64_t bytesMax = int64_t{1} << 53;

  void wrong(size_t index, const char* what) {
    char text[64];
    snprintf(text, sizeof text, "must be %s", what);
    fail(index, text, false);
  }
  void fail(size_t index, const char* text, bool range) {
    if (failed_) return;
    failed_ = true;
    char message[128];
    snprintf(message, sizeof message, "vast-ost addon: argument %zu %s", index + 1, text);
    if (range) napi_throw_range_error(env_, "ERR_OUT_OF_RANGE", message);
    else napi_throw_type_error(env_, "ERR_INVALID_ARG_TYPE", message);
  }
  template <class Element>
  Span<Element> array(size_t index, napi_typedarray_type wanted, uint64_t least, const char* what) {
    Span<Element> span;
    napi_typedarray_type type;
    void* data = nullptr;
    bool is = false;
    if (napi_is_typedarray(env_, info_[index], &is) != napi_ok || !is ||
        napi_get_typedarray_info(env_, info_[index], &type, &span.length, &data, nullptr, nullptr) != napi_ok ||
        type != wanted) {
      wrong(index, what);
      return {};
    }
    if (span.length < least) {
      outOfRange(index);
      return {};
    }
    span.data = static_cast<Element*>(data);
    return span;
  }

  Napi::Env env_;
  const Napi::CallbackInfo& info_;
  bool failed_ = false;
};

}  // namespace vast_ost

#endif
