/*
 * send.h: bytes of an arena on their way into a socket, by a thread of their own. Free of Node-API.
 *
 * The event loop that owns the socket gets on with other connections meanwhile, and no array that a garbage collector
 * would count stands for the memory. Only for sockets whose bytes nobody changes on the way: not for TLS.
 */
#ifndef VAST_OST_SEND_H
#define VAST_OST_SEND_H

#include <cstdint>

#include "table.h"

namespace vast_ost {

/** At once; more are refused. */
constexpr unsigned sendsBits = 8;

/**
 * Called once, on the sending thread, when that holds neither socket nor memory any more. `result`: all the bytes, or
 * −errno. Must not block.
 */
using SendEnded = void (*)(void* context, int64_t result, uint64_t cpuNs);

/**
 * Begins to send [offset, offset + length) of the arena, which stays mapped until it has ended, and so does the connection:
 * the thread has a descriptor of its own. −ETIMEDOUT ends it when the other side has taken fewer than `leastBytes` in
 * `idleMs`, or none. Nobody else may write to the socket meanwhile. Returns an id, or −errno: then nothing is sent and `ended` is not called.
 */
int64_t sendOpen(int socket, int32_t arena, uint64_t offset, uint64_t length, int idleMs, uint64_t leastBytes,
                 SendEnded ended, void* context);

/** Shuts the connection down in both directions, so that it ends soon. −EBADF when it has ended. */
int64_t sendStop(int32_t send);

/** The last of its bytes are being handed to the socket, or have been; false: more are to follow. −EBADF when it has ended. */
int64_t sendIsLast(int32_t send);

/** That have not ended. */
int64_t sendCount();

}  // namespace vast_ost

#endif
