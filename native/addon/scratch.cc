// scratch.cc: one buffer a thread; most threads never need it.
#include "scratch.h"

#include <pthread.h>

#include <cstdlib>

#include "compat.h"

namespace vast_ost {

namespace {

thread_local void* memory = nullptr;
pthread_key_t atThreadEnd;  // carries the same pointer, for its destructor

__attribute__((constructor)) void makeKey() {
  if (pthread_key_create(&atThreadEnd, free) != 0) abort();
}

}  // namespace

uint8_t* scratch() {
  if (memory == nullptr) {
    void* fresh = nullptr;
    if (posix_memalign(&fresh, scratchAlign, scratchRoom) != 0) return nullptr;
    if (pthread_setspecific(atThreadEnd, fresh) != 0) {
      free(fresh);
      return nullptr;
    }
    memory = fresh;
  }
  return static_cast<uint8_t*>(memory);
}

}  // namespace vast_ost
