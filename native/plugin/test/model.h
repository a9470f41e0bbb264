/*
 * model.h: a small but whole engine in memory for random tests: any number of connections, images by name, credits out of
 * order, arenas that are replaced, read-ahead. It holds the plug-in to the protocol as it goes.
 */
#ifndef MODEL_H
#define MODEL_H

#include "fake.h"

#define MODEL_IMAGE_BYTES (1u << 20) /* no image is bigger */

/* Plays connections until `stop_after` of them have ended. For engine_start; argument: const unsigned *stop_after. */
void model_play(struct engine *engine);

#endif
