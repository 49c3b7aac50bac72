/* A file of features: one record an image, of a fixed size, written once and read many times. A record is, as it lies in
 * memory,
 *
 *   u64 hash            of the key and everything behind
 *   u64 number + 1
 *   u64 sample index
 *   u64 truths          how many
 *   truths              zeros up to the room for them
 *   features            zeros up to a whole page
 *
 * Every read verifies the hash: a record that was cut short by a kill or a power cut, damaged, or written under another
 * key simply is not there. So the file has no header and no order of writing that could go wrong, and losing it costs
 * time only. It is read with pread and written with pwrite, not through a mapping: so a full disk, or a file that
 * somebody cuts short, is an error that can be handled, and not a signal. */
#ifndef TRAIN_FEATURE_CACHE_H
#define TRAIN_FEATURE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "layers/box.h"

extern const char feature_cache_name[]; /* "features.cache", in the run's folder */

struct feature_cache_layout {
    uint64_t key; /* of all that the content depends on */
    size_t records;
    size_t floats; /* features of an image */
    size_t truths; /* room for them */
};

struct feature_record {
    const float *features; /* [floats] */
    const struct truth *truths;
    size_t truth_count;
    size_t sample_index;
};

/* Bytes of a record on disk; 0 on overflow. */
size_t feature_cache_record_bytes(const struct feature_cache_layout *layout);

/* Bytes free for the file of a run's folder, which need not exist yet; what a file of an earlier
 * session takes counts as free. UINT64_MAX if unknown. */
uint64_t feature_cache_room(const char *folder);

struct feature_cache;

/* Opens folder/features.cache or makes it. ERR_IO, ERR_MEMORY. */
NODISCARD enum result feature_cache_open(const char *folder,
                                         const struct feature_cache_layout *layout,
                                         struct feature_cache **cache, struct error *err);
/* The file stays; NULL is accepted. */
void feature_cache_close(struct feature_cache *cache);
/* Removes the folder's file, if there is one. */
void feature_cache_remove(const char *folder);

/* Reads it into buffer[feature_cache_record_bytes], of mem_alloc, where *record then points. False if it is
 * not there or not whole. */
bool feature_cache_get(const struct feature_cache *cache, size_t number, void *buffer,
                       struct feature_record *record);

/* ERR_IO (disk full): what the file has of this record will not be taken for one. ERR_ARG if it has
 * more truths than there is room for. */
NODISCARD enum result feature_cache_put(struct feature_cache *cache, size_t number,
                                        const struct feature_record *record, struct error *err);

#endif
