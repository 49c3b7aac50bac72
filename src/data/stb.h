/* What stb does not tell, and what it cannot bear: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>

enum { STB_MAX_SIDE = 1 << 24 }; /* pixels; what is larger stb calls "too large" */

/* stb's decoders leak where memory runs out. Put these two around each call on this thread:
 * begin, then end with the block that stays (NULL: none), which frees all other blocks of the call.
 * End returns true if memory was refused; stb's own reason is then sometimes missing, or that of an
 * older failure. */
void stb_decoder_begin(void);
bool stb_decoder_end(const void *kept);

/* Run work(ctx), which may call stb's encoders and its drawing of glyphs; they work nowhere
 * else. They would end the process where memory runs out. Here `work` ends midway instead, what stb
 * allocated is freed, and the result is false. Not nested; `work` itself must hold nothing that has
 * to be freed. */
bool stb_guard(void (*work)(void *ctx), void *ctx);

#endif
