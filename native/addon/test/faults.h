// faults.h: the outcomes of the next system calls of this thread, written down beforehand.
#ifndef VAST_OST_TEST_FAULTS_H
#define VAST_OST_TEST_FAULTS_H

#include <cstddef>
#include <cstdint>

namespace harness {

enum class Call { openat, pwrite, pread, fsync, fdatasync, ftruncate, close, copyFileRange, sendmsg, send, memfd, madvise };
constexpr size_t callKinds = 12;

/** What happens to one call: it passes, moves at most `amount` bytes, answers `amount` at once, or fails with it. */
struct Outcome {
  enum Kind { pass, atMost, answer, fail } kind;
  int64_t amount;
};

constexpr Outcome passes() { return {Outcome::pass, 0}; }
constexpr Outcome atMost(int64_t bytes) { return {Outcome::atMost, bytes}; }
constexpr Outcome answers(int64_t result) { return {Outcome::answer, result}; }
constexpr Outcome fails(int error) { return {Outcome::fail, error}; }

/** The outcomes of this thread's next calls of one kind, in order; after them every call passes. Forgets older ones. */
void script(Call call, const Outcome* outcomes, size_t count);
template <size_t count>
void script(Call call, const Outcome (&outcomes)[count]) {
  script(call, outcomes, count);
}

/** Calls of one kind by this thread since `script` was last given for it. */
size_t callsMade(Call call);
/** Offsets that these calls had, the first 16 of them. */
int64_t callOffset(Call call, size_t index);

/** Answers poll for POLLOUT in the place of the kernel, on any thread; `pollPasses`: the kernel does. nullptr: no more. */
void hookPoll(int (*hook)());
constexpr int pollPasses = -2;

}  // namespace harness

#endif
