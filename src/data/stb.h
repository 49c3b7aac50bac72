/* What stb does not tell: see stb.c. */
#ifndef DATA_STB_H
#define DATA_STB_H

#include <stdbool.h>

/* True if stb was refused memory on this thread since the last call. stb's own failure reason is
 * missing or that of an older failure in some of these cases. */
bool stb_memory_refused(void);

#endif
