/* features.cache: the bytes as they are, and records with the bytes laid over them under right
 * hashes. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/memory.h"
#include "train/feature_cache.h"
#include "train/stateio.h"

enum { RECORDS = 2, MAX_FILE = 1 << 20 };
static const struct feature_cache_layout layout = {
    .key = 7, .records = RECORDS, .floats = 5, .truths = 3};

static char *good;
static size_t good_size;

static void set_up(void)
{
    static const float features[] = {1, 2, 3, 4, 5};
    static const struct truth truths[] = {{.box = {.5f, .5f, .5f, .5f}}, {.class_id = 1}};
    struct feature_cache *cache;
    struct error err;
    fuzz_expect(feature_cache_open(fuzz_folder(), &layout, &cache, &err) == OK, "a cache");
    for (size_t i = 0; i < RECORDS; i++) {
        struct feature_record record = {features, truths, i, i};
        fuzz_expect(feature_cache_put(cache, i, &record, &err) == OK, "a record");
    }
    feature_cache_close(cache);
    fuzz_expect(file_read(fuzz_path(feature_cache_name), MAX_FILE, &good, &good_size, &err) == OK,
                "a file of features");
}

static void get_all(const void *bytes, size_t size)
{
    struct feature_cache *cache;
    struct error err;
    fuzz_file(feature_cache_name, bytes, size);
    if (!fuzz_read(feature_cache_open(fuzz_folder(), &layout, &cache, &err), &err)) {
        return;
    }
    void *buffer = mem_alloc(feature_cache_record_bytes(&layout), 1);
    for (size_t i = 0; i < RECORDS; i++) {
        struct feature_record record;
        if (feature_cache_get(cache, i, buffer, &record)) {
            float sum = 0;
            fuzz_expect(record.truth_count <= layout.truths, "room for the truths");
            for (size_t k = 0; k < layout.floats; k++) {
                sum += record.features[k];
            }
            for (size_t k = 0; k < record.truth_count; k++) {
                sum += record.truths[k].box.cx;
            }
            static volatile float sink;
            sink = sum;
            (void)sink;
        }
    }
    mem_free(buffer);
    feature_cache_close(cache);
}

/* Of the key and all of the record behind the hash, up to the last feature (train/feature_cache.h).
 */
static void sign(uint8_t *record)
{
    struct state_hash hash = {0};
    size_t truths_end = 4 * sizeof(uint64_t) + layout.truths * sizeof(struct truth);
    size_t end = (truths_end + 63) / 64 * 64 + layout.floats * sizeof(float);
    state_hash_add(&hash, &layout.key, sizeof layout.key);
    state_hash_add(&hash, record + sizeof(uint64_t), end - sizeof(uint64_t));
    uint64_t value = state_hash_value(&hash);
    memcpy(record, &value, sizeof value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t changed, record = feature_cache_record_bytes(&layout);
    log_set_level(LOG_QUIET);
    if (!good) {
        set_up();
    }
    get_all(data, size);
    uint8_t *forged = mem_alloc(good_size + size, 1);
    fuzz_overlay(data, size, (const uint8_t *)good, good_size, forged, &changed);
    for (size_t at = 0; at + record <= changed; at += record) {
        sign(forged + at);
    }
    get_all(forged, changed);
    mem_free(forged);
    return 0;
}
