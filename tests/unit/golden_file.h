/* A golden file, read front to back: little-endian values of four bytes. */
#ifndef TESTS_GOLDEN_FILE_H
#define TESTS_GOLDEN_FILE_H

#include "base/fileio.h"

struct reader {
    char *data; /* mem_free */
    size_t size, at;
};

/* The next `count` values, in host order; NULL at the end of the file. */
static inline void *take(struct reader *in, size_t count)
{
    if (count > (in->size - in->at) / 4) {
        return NULL;
    }
    void *values = in->data + in->at;
    le32_to_host(values, count);
    in->at += count * 4;
    return values;
}

#endif
