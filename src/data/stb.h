/* What stb does not tell, and what it cannot bear: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>

enum { STB_MAX_SIDE = 1 << 24 }; /* pixels; what is larger stb calls "too large" */

/* Around each call of stb's decoders on this thread, as they leak where memory runs out: begin, then end with
 * the block that stays (NULL: none); all others of the call are freed. End's result is true if memory was
 * refused. stb's own failure reason is missing or that of an older failure in some of these cases. */
void stb_decoder_begin(void);
bool stb_decoder_end(const void *kept);

/* Run work(ctx), which may call stb's encoders and its drawing of glyphs (and nothing of theirs
 * works outside): they end the process where memory runs out. Here work ends in the midst of it
 * instead, what stb had allocated is freed, and the result is false. Not nested; work itself holds
 * nothing that would have to be freed. */
bool stb_guard(void (*work)(void *ctx), void *ctx);

#endif
