/*
 * watch.h: tells when a process is gone. Free of Node-API.
 *
 * One small thread for the whole engine sleeps in epoll on pidfds. Where the kernel has none (before 5.3) it looks at
 * each process's start time in /proc once a second: a pid alone may have been given to somebody else meanwhile.
 */
#ifndef VAST_OST_WATCH_H
#define VAST_OST_WATCH_H

#include <cstddef>
#include <cstdint>

namespace vast_ost {

/** Called once on the watching thread, which holds the lock of all watches: must not block nor call back in here. */
using WatchGone = void (*)(void* context, int32_t watch);

/** Returns the watch's id (> 0) or −errno. A process that is gone already is told like any other. */
int64_t watchOpen(int64_t pid, WatchGone gone, void* context);

/** −EBADF when it has fired or never was. After it returns, `gone` is neither running nor called any more. */
int64_t watchClose(int32_t watch);

/** The same for all watches with this context. */
void watchCloseAll(void* context);

/** Watches that have not fired. */
int64_t watchCount();

/** Tests: false acts like a kernel before 5.3, without pidfd_open. */
void pretendPidfd(bool there);

}  // namespace vast_ost

#endif
