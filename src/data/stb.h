/* What stb does not tell, and what it cannot bear: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>

enum { STB_MAX_SIDE = 1 << 24 }; /* pixels; what is larger stb calls "too large" */

/* Run work(ctx), which calls one of stb's decoders and returns the block that stays (NULL: none); they work nowhere
 * else. They leak where memory runs out and end the process where a damaged file breaks their assumptions: here all
 * other blocks of the call are freed, and the result is NULL. *is_refused: memory was; stb's own reason is then
 * sometimes missing, or that of an older failure. Not nested; `work` itself must hold nothing that has to be freed. */
void *stb_decode(void *(*work)(void *ctx), void *ctx, bool *is_refused);

/* Run work(ctx), which may call stb's encoders and its drawing of glyphs; they work nowhere
 * else. They would end the process where memory runs out. Here `work` ends midway instead, what stb
 * allocated is freed, and the result is false. Not nested; `work` itself must hold nothing that has
 * to be freed. */
bool stb_guard(void (*work)(void *ctx), void *ctx);

#endif
