/* Every key that means something in some section of a cfg, here or in Darknet: for "did you mean". */
#ifndef CFG_KEYS_H
#define CFG_KEYS_H

#include <stddef.h>

extern const char *const cfg_known_keys[];
extern const size_t cfg_known_key_count;

#endif
