/* How much memory there is for this process. root: "", or a folder in place of "/", for tests. Bytes; 0: not known. */
#ifndef BASE_MEMORY_LIMIT_H
#define BASE_MEMORY_LIMIT_H

/* The machine's (memory_of_machine), or the limit of a control group (a container's --memory) where that is less. */
double memory_limit(const char *root);
/* What of it is free at the moment, or would be given up (files that were read). */
double memory_free_now(const char *root);

#endif
