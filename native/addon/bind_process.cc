// bind_process.cc: peers, watches of processes, and what concerns this process and thread, for JavaScript.
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "arena.h"
#include "args.h"
#include "copy_rate.h"
#include "exports.h"
#include "files.h"
#include "sha256.h"
#include "watch.h"

namespace vast_ost {

namespace {

/** A watch and the function to call, of the environment (main thread or worker) that asked. Its thread only. */
struct Waiting {
  int32_t watch;
  napi_ref gone;
  Waiting* next;
};

/** The watches of one environment, and the threadsafe function over which the watching thread reaches it. */
struct Watches {
  napi_env env;
  napi_threadsafe_function bell = nullptr;
  Waiting* first = nullptr;
};

/** Takes the watch out of the list. Null when it is not there (any more). */
napi_ref take(Watches* watches, int32_t watch) {
  for (Waiting** at = &watches->first; *at != nullptr; at = &(*at)->next) {
    if ((*at)->watch != watch) continue;
    Waiting* found = *at;
    const napi_ref gone = found->gone;
    *at = found->next;
    delete found;
    return gone;
  }
  return nullptr;
}

void* asData(int32_t watch) { return reinterpret_cast<void*>(static_cast<intptr_t>(watch)); }

/** On the watching thread. Never blocks: the queue has no limit but one entry a watch. */
void ring(void* context, int32_t watch) {
  const auto* watches = static_cast<Watches*>(context);
  napi_call_threadsafe_function(watches->bell, asData(watch), napi_tsfn_nonblocking);
}

/** On the environment's own thread. */
void call(napi_env env, napi_value, void* context, void* data) {
  if (env == nullptr) return;  // the environment is going away
  const napi_ref gone = take(static_cast<Watches*>(context), static_cast<int32_t>(reinterpret_cast<intptr_t>(data)));
  if (gone == nullptr) return;  // unwatched while the bell was on its way
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  napi_get_reference_value(env, gone, &function);
  napi_get_undefined(env, &receiver);
  const napi_status status = napi_call_function(env, receiver, function, 0, nullptr, nullptr);
  napi_delete_reference(env, gone);
  if (status != napi_pending_exception) return;
  // Left pending, it would only become a warning: Node swallows exceptions here for modules of this API version.
  napi_value exception = nullptr;
  napi_get_and_clear_last_exception(env, &exception);
  napi_fatal_exception(env, exception);
}

/** The environment ends: from here on the watching thread does not know it any more. */
void end(void* context) {
  auto* watches = static_cast<Watches*>(context);
  watchCloseAll(watches);
  while (watches->first != nullptr) {
    Waiting* waiting = watches->first;
    watches->first = waiting->next;
    napi_delete_reference(watches->env, waiting->gone);
    delete waiting;
  }
  napi_release_threadsafe_function(watches->bell, napi_tsfn_abort);
  watches->bell = nullptr;
}

void freeWatches(Napi::Env, Watches* watches) { delete watches; }

/** Makes the threadsafe function at the first watch. Null with a pending exception when Node refuses. */
Watches* watchesOf(Napi::Env env) {
  auto* watches = env.GetInstanceData<Watches>();
  if (watches->bell != nullptr) return watches;
  napi_value name = nullptr;
  napi_create_string_utf8(env, "vast-ost watch", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(
          env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, watches, call, &watches->bell) != napi_ok) {
    Napi::Error::New(env).ThrowAsJavaScriptException();
    return nullptr;
  }
  napi_unref_threadsafe_function(env, watches->bell);
  // Added after the threadsafe function's own hook, so it runs before it: hooks run last in, first out.
  napi_add_env_cleanup_hook(env, end, watches);
  return watches;
}

Napi::Value watch(const Napi::CallbackInfo& info) {
  Args args(info);
  const int64_t pid = args.whole(0, INT32_MIN, INT32_MAX);
  const Napi::Function gone = args.function(1);
  if (args.failed()) return args.thrown();
  Watches* watches = watchesOf(args.env());
  if (watches == nullptr) return args.thrown();
  const int64_t id = watchOpen(pid, ring, watches);
  if (id < 0) return args.number(id);
  // The bell may be on its way already; it is heard on this thread, so not before this function has returned.
  napi_ref reference = nullptr;
  napi_create_reference(args.env(), gone, 1, &reference);
  watches->first = new Waiting{static_cast<int32_t>(id), reference, watches->first};
  return args.number(id);
}

Napi::Value unwatch(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t id = args.id(0);
  if (args.failed()) return args.thrown();
  const napi_ref gone = take(args.env().GetInstanceData<Watches>(), id);
  if (gone == nullptr) return args.number(-EBADF);
  napi_delete_reference(args.env(), gone);
  (void)watchClose(id);  // −EBADF: has fired, and its bell will find nothing
  return args.number(0);
}

Napi::Value credentials(const Napi::CallbackInfo& info) {
  Args args(info);
  const int32_t socket = args.id(0);
  const Span<int32_t> out = args.i32(1, 3);
  if (args.failed()) return args.thrown();
  struct ucred peer = {};
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return args.number(-errno);
  out.data[0] = peer.pid;
  out.data[1] = static_cast<int32_t>(peer.uid);
  out.data[2] = static_cast<int32_t>(peer.gid);
  return args.number(0);
}

Napi::Value pretend(const Napi::CallbackInfo& info) {
  Args args(info);
  const bool pidfd = args.flag(0);
  const bool populate = args.flag(1);
  const bool collapse = args.flag(2);
  if (args.failed()) return args.thrown();
  pretendPidfd(pidfd);
  pretendPopulate(populate, collapse);
  return args.env().Undefined();
}

int64_t nanoseconds(const struct timespec& time) { return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec; }

Napi::Value cpuNs(const Napi::CallbackInfo& info) {
  struct timespec used = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return Args(info).number(nanoseconds(used));
}

Napi::Value processCpuNs(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto pid = static_cast<pid_t>(args.whole(0, 1, INT32_MAX));
  if (args.failed()) return args.thrown();
  clockid_t clock;
  const int error = clock_getcpuclockid(pid, &clock);
  if (error != 0) return args.number(-error);
  struct timespec used = {};
  // It may have ended in between, which a clock that is none any more says in its own way.
  return args.number(clock_gettime(clock, &used) == 0 ? nanoseconds(used) : -ESRCH);
}

Napi::Value nice(const Napi::CallbackInfo& info) {
  Args args(info);
  const auto value = static_cast<int>(args.whole(0, -20, 19));
  if (args.failed()) return args.thrown();
  // On Linux a nice value belongs to a thread; gettid() came with glibc 2.30.
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  return args.number(setpriority(PRIO_PROCESS, thread, value) == 0 ? 0 : -errno);
}

/** One thread, 0: the calling one. A thread that has ended meanwhile is none to be told. */
int bind(pid_t thread, const cpu_set_t* set, size_t bytes) {
  return sched_setaffinity(thread, bytes, set) == 0 || errno == ESRCH ? 0 : -errno;
}

int bindAll(const cpu_set_t* set, size_t bytes) {
  // This one first: what it starts from now on inherits it. Twice, for threads that others started in between.
  int result = bind(0, set, bytes);
  for (int pass = 0; pass < 2 && result == 0; ++pass) {
    DIR* tasks = opendir("/proc/self/task");
    if (tasks == nullptr) return -errno;
    for (const dirent* entry = readdir(tasks); entry != nullptr && result == 0; entry = readdir(tasks)) {
      const long thread = strtol(entry->d_name, nullptr, 10);
      if (thread > 0) result = bind(static_cast<pid_t>(thread), set, bytes);
    }
    closedir(tasks);
  }
  return result;
}

Napi::Value affinity(const Napi::CallbackInfo& info) {
  constexpr int32_t cpuMax = 8191;
  Args args(info);
  const Span<int32_t> cpus = args.i32(0, 1);
  if (args.failed()) return args.thrown();
  cpu_set_t* set = CPU_ALLOC(cpuMax + 1);
  if (set == nullptr) return args.number(-ENOMEM);
  const size_t bytes = CPU_ALLOC_SIZE(cpuMax + 1);
  CPU_ZERO_S(bytes, set);
  int result = 0;
  for (size_t i = 0; i < cpus.length; ++i) {
    if (cpus.data[i] < 0 || cpus.data[i] > cpuMax) result = -EINVAL;
    else CPU_SET_S(static_cast<size_t>(cpus.data[i]), bytes, set);
  }
  if (result == 0) result = bindAll(set, bytes);
  CPU_FREE(set);
  return args.number(result);
}

Napi::Value coreCopyRate(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(copyRate()));
}

Napi::Value killSelf(const Napi::CallbackInfo& info) {
  kill(getpid(), SIGKILL);
  return info.Env().Undefined();
}

Napi::Value counts(const Napi::CallbackInfo& info) {
  Args args(info);
  const Span<double> out = args.f64(0, 5);
  if (args.failed()) return args.thrown();
  out.data[0] = static_cast<double>(File::live.load());
  out.data[1] = static_cast<double>(List::live.load());
  out.data[2] = static_cast<double>(Arena::live.load());
  out.data[3] = static_cast<double>(Sha::live.load());
  out.data[4] = static_cast<double>(watchCount());
  return args.number(0);
}

}  // namespace

void exportProcess(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData<Watches, freeWatches>(new Watches{env});
  add<credentials>(env, exports, "peerCredentials");
  add<watch>(env, exports, "watchProcess");
  add<unwatch>(env, exports, "unwatchProcess");
  add<pretend>(env, exports, "pretendKernel");
  add<cpuNs>(env, exports, "threadCpuNs");
  add<processCpuNs>(env, exports, "processCpuNs");
  add<nice>(env, exports, "threadNice");
  add<affinity>(env, exports, "setAffinity");
  add<coreCopyRate>(env, exports, "copyRate");
  add<killSelf>(env, exports, "killSelf");
  add<counts>(env, exports, "counts");
}

}  // namespace vast_ost
