/* codes.h: the words for a status. */
#ifndef STSP_CODES_H
#define STSP_CODES_H

#include <stdbool.h>
#include <stdint.h>

/* True for a status of stsp.h; an engine that sends another one has a bug or another version. */
bool stsp__status_known(uint32_t status);

/* Plain words for a status, used where nobody wrote a better text. Static, never NULL. */
const char *stsp__status_text(uint32_t status);

#endif
