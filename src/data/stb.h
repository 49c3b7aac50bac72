/* What stb does not tell: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>
#include <stddef.h>

/* True if stb was refused memory on this thread since the last call. stb's own failure reason is
 * missing or that of an older failure in some of these cases. */
bool stb_memory_refused(void);

/* Scratch memory for stb_truetype, handed in as stbtt_fontinfo.userdata: with it drawing a glyph
 * does not allocate (stb aborts where that fails). Reset `used` between glyphs. What does not fit
 * (letters of thousands of pixels) comes from the heap. */
struct stb_scratch {
    unsigned char *block;
    size_t size, used;
};

#endif
