/* reply-status.h: what a reply carries; the same numbers as STS_E* in stsp.h (this project's own values); see wire.h. */
#ifndef VAST_OST_WIRE_REPLY_STATUS_H
#define VAST_OST_WIRE_REPLY_STATUS_H

enum wire_status {
  WIRE_OK = 0,
  WIRE_EINVAL = 1,       /* an argument, or an order of calls, that can never work */
  WIRE_ENOMEM = 2,
  WIRE_ENOENT = 13,      /* no such object; also the end of a list */
  WIRE_EABORT = 14,      /* given up because the engine drains or the job was ended */
  WIRE_ESYSTEM = 17,     /* the storage or the system failed the call; the text names errno and path */
  WIRE_ESOCKET = 19,     /* the engine went away during the call */
  WIRE_EINTERNAL = 22,   /* a bug of ours, or memory that changed under us */
  WIRE_EPERM = 37,       /* the storage refuses access, or is read-only */
  WIRE_ECLAIM = 201,     /* not a storage server of this plug-in */
  WIRE_ECONNECT = 202,   /* no engine at the socket */
  WIRE_ENOSPC = 203,     /* no space or quota left */
  WIRE_EBUSY = 204,      /* somebody holds it, or memory or handles are short */
  WIRE_EEXIST = 205,
  WIRE_ENOTMOUNTED = 206, /* the storage root does not carry its marker */
  WIRE_EDAMAGED = 207,   /* stored bytes, sums or meta fail verification */
  WIRE_EVERSION = 208,   /* protocol or ABI versions do not go together */
  WIRE_ESTATE = 209,     /* the image's state, or the handle's mode, does not allow the call */
  WIRE_EGONE = 210,      /* the claim or the image was taken away */
  WIRE_ENOTSUP = 211
};

#endif
