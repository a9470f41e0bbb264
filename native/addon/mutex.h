// mutex.h: std::mutex without the exceptions that it can throw, and without the C++ library that carries them.
#ifndef VAST_OST_MUTEX_H
#define VAST_OST_MUTEX_H

#include <pthread.h>

namespace vast_ost {

/** Needs neither constructor nor destructor at run time: a global one lives as long as any thread. */
class Mutex {
 public:
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }
  /** Held by the caller; gives it up while it sleeps. */
  void wait(pthread_cond_t& condition) { pthread_cond_wait(&condition, &mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

/** Holds the mutex for a scope. */
class Guard {
 public:
  explicit Guard(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Guard() { mutex_.unlock(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace vast_ost

#endif
