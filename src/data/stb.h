/* What stb does not tell, and what it cannot bear: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>
#include <stddef.h>

enum { STB_MAX_SIDE = 1 << 24 }; /* pixels; what is larger stb calls "too large" */

struct stb_outcome {
    void *kept;   /* what `work` returned, now for mem_free; NULL if it ended midway */
    bool is_done; /* it went on to its end */
    bool
        is_refused; /* memory was; stb's own reason is then sometimes missing, or that of an older failure */
};

/* Run work(ctx), which may call stb, and returns the block of stb's that stays (NULL: none); stb works nowhere else. It
 * leaks or ends the process where memory runs out or a damaged file breaks its assumptions: here `work` ends midway
 * instead, and all blocks but the one that stays are freed. Not nested; `work` itself must hold nothing that has to be
 * freed. */
struct stb_outcome stb_call(void *(*work)(void *ctx), void *ctx);

/* Deflated bytes (without zlib's header) that become exactly `whole_size`, or false: they do not, are damaged, memory ran
 * out, or one of the sizes exceeds an int. */
bool stb_inflate(const char *packed, size_t packed_size, char *whole, size_t whole_size);

#endif
