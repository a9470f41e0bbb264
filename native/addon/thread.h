// thread.h: the addon's own small threads.
#ifndef VAST_OST_THREAD_H
#define VAST_OST_THREAD_H

namespace vast_ost {

/** Starts a detached thread that takes no signals. 0 or an errno: then nothing runs. */
int startThread(void* (*run)(void*), void* argument);

}  // namespace vast_ost

#endif
