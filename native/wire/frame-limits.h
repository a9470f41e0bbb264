/* frame-limits.h: how much may be said between plug-in and engine, how long it may take, and in what units; see wire.h. */
#ifndef VAST_OST_WIRE_LIMITS_H
#define VAST_OST_WIRE_LIMITS_H

#include <stdint.h>

#define WIRE_FRAME_MAX 73728u     /* bytes of the longest frame, header included: 64 KiB of metadata or a page of a list */
#define WIRE_BASENAME_MAX 1024u   /* bytes with the NUL */
#define WIRE_LSU_MAX 256u         /* bytes with the NUL */
#define WIRE_SERVER_MAX 256u      /* bytes with the NUL */
#define WIRE_LABEL_MAX 256u       /* bytes with the NUL */
#define WIRE_FIELD_MAX 256u       /* policy, schedule, client: bytes with the NUL */
#define WIRE_JOB_MAX 64u          /* the host program's job name: bytes with the NUL */
#define WIRE_OPAQUE_MAX 1024u     /* opaque bytes of an image definition */
#define WIRE_METADATA_MAX 65536u  /* opaque metadata of one image */
#define WIRE_TEXT_MAX 1024u       /* plain text of a failure, without NUL */
#define WIRE_TOKEN_BYTES 16u      /* writer token, image id, engine instance */
#define WIRE_BLOCK_BYTES 512u     /* offsets of writes and their lengths are multiples of this (STS_BLOCK_SIZE) */
#define WIRE_SLOT_ALIGN 4096u     /* image offset and slot offset of a block are equal modulo this: O_DIRECT needs it */
#define WIRE_IMAGE_MAX (UINT64_C(1) << 50) /* bytes of an image: sums and offsets stay far inside what a double holds */
#define WIRE_DATE_MAX ((UINT64_C(1) << 53) - 1) /* seconds since 1970: what a double holds exactly */
#define WIRE_SLOTS_MAX 64u        /* slots of one arena */
#define WIRE_LISTS_MAX 16u        /* lists open on one server connection */
#define WIRE_LIST_PAGE_MAX 256u   /* image definitions in one page of short ones */
#define WIRE_LIST_PAGE_BYTES 65536u /* of them together: longer ones are fewer */
#define WIRE_LIST_WHOLE_MAX 20u   /* image definitions in one page of whole ones */
#define WIRE_LSU_PAGE_MAX 128u    /* names in one page */
#define WIRE_SUBMITS_MAX WIRE_SLOTS_MAX /* submitted blocks that a connection may have under way: never more than slots */
#define WIRE_STILL_WORKING_S 5u   /* the engine speaks at least this often during a call, and while it owes an arena or a
                                     credit: a writer waits for those without a call */
#define WIRE_SILENCE_S 30u        /* a client that waits and hears nothing for this long holds the engine for gone */

#endif
