// thread.cc: how they are started.
#include "thread.h"

#include <pthread.h>
#include <signal.h>

#include "compat.h"

namespace vast_ost {

int startThread(void* (*run)(void*), void* argument) {
  constexpr size_t stackBytes = 256 * 1024;
  // Signals are the main thread's. A new thread inherits the mask of its maker. sigprocmask sets the mask of the calling
  // thread on Linux; pthread_sigmask carries the version of glibc 2.32.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stackBytes);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, argument);
  pthread_attr_destroy(&attributes);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return error;
}

}  // namespace vast_ost
