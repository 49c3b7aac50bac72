/* What stb does not tell, and what it cannot bear: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>

enum { STB_MAX_SIDE = 1 << 24 }; /* pixels; what is larger stb calls "too large" */

/* True if a decoder of stb was refused memory on this thread since the last call. stb's own failure
 * reason is missing or that of an older failure in some of these cases. */
bool stb_memory_refused(void);

/* Run work(ctx), which may call stb's encoders and its drawing of glyphs (and nothing of theirs
 * works outside): they end the process where memory runs out. Here work ends in the midst of it
 * instead, what stb had allocated is freed, and the result is false. Not nested; work itself holds
 * nothing that would have to be freed. */
bool stb_guard(void (*work)(void *ctx), void *ctx);

#endif
