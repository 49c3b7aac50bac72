/* Binary state files: little-endian values between a head with magic and version and a trailer with length and checksum.
 * They are written atomically, and verified from end to end before the first value is read, so a reader may trust what
 * it gets to be what was written.
 *
 *   "YOLOSTAT"
 *   u32 version
 *   values ...
 *   u64 bytes of the whole file
 *   u64 checksum of all before it
 *   "ENDSTATE" */
#ifndef TRAIN_STATEIO_H
#define TRAIN_STATEIO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/fileio.h"

/* A running 64-bit hash of bytes; how they are cut into pieces makes no difference. It notices every change within one
 * aligned word of 8 bytes, and misses any other with a chance of one in 2^64. It does not protect against intent. */
struct state_hash {
    uint64_t value, bytes;
    unsigned char tail[8];
};

void state_hash_add(struct state_hash *hash, const void *data,
                    size_t bytes); /* from a zeroed struct */
uint64_t state_hash_value(const struct state_hash *hash);
uint64_t state_hash_of(const void *data, size_t bytes);

/* Puts cannot fail: the writer keeps the first error, and state_commit reports it. */
struct state_writer {
    struct atomic_file file;
    struct state_hash hash;
    int failed_errno; /* 0: none */
};

NODISCARD enum result state_create(struct state_writer *writer, const char *path, uint32_t version,
                                   struct error *err);
void state_put_u32(struct state_writer *writer, uint32_t value);
void state_put_u64(struct state_writer *writer, uint64_t value);
void state_put_f64(struct state_writer *writer, double value); /* its bits: NaN included */
void state_put_text(struct state_writer *writer, const char *text);
void state_put_floats(struct state_writer *writer, const float *values, size_t count);
/* Trailer, sync, rename. After an error the old file stands, and no temporary one is left. */
NODISCARD enum result state_commit(struct state_writer *writer, struct error *err);

struct state_reader {
    FILE *stream;
    char path[4096];
    uint64_t left; /* bytes before the trailer */
};

/* Opens and verifies. ERR_IO if it cannot be read; ERR_FORMAT, in words, if it is no state file, of
 * another version, cut off, or damaged. */
NODISCARD enum result state_open(struct state_reader *reader, const char *path, uint32_t version,
                                 struct error *err);
NODISCARD enum result state_get_u32(struct state_reader *reader, uint32_t *value,
                                    struct error *err);
NODISCARD enum result state_get_u64(struct state_reader *reader, uint64_t *value,
                                    struct error *err);
NODISCARD enum result state_get_f64(struct state_reader *reader, double *value, struct error *err);
/* *text (mem_free) of at most max_bytes. */
NODISCARD enum result state_get_text(struct state_reader *reader, size_t max_bytes, char **text,
                                     struct error *err);
NODISCARD enum result state_get_floats(struct state_reader *reader, float *values, size_t count,
                                       struct error *err);
/* ERR_FORMAT if values are left. */
NODISCARD enum result state_check_end(const struct state_reader *reader, struct error *err);
void state_close(struct state_reader *reader); /* a zeroed or closed one is fine */

#endif
