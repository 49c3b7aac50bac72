/* The file of features: what is read is what was written under this key, or nothing; a full disk.
 */
#include "train/feature_cache.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/memory.h"
#include "test.h"

enum { RECORDS = 7, FLOATS = 1500, TRUTHS = 5 };

static const struct feature_cache_layout layout = {
    .key = 0x123456789abcdef0u, .records = RECORDS, .floats = FLOATS, .truths = TRUTHS};
static struct error err;
static char folder[] = "/tmp/test_features_XXXXXX";
static char path[128];
static unsigned char *buffer; /* [a record] */

static void remove_folder(void)
{
    feature_cache_remove(folder);
    rmdir(folder);
    mem_free(buffer);
}

static bool set_up(void)
{
    if (!path[0]) {
        if (!mkdtemp(folder)) {
            return false;
        }
        atexit(remove_folder);
        buffer = mem_alloc(feature_cache_record_bytes(&layout), 1);
        snprintf(path, sizeof path, "%s/%s", folder, feature_cache_name);
    }
    feature_cache_remove(folder);
    return !path_exists(path);
}

/* Record `number` as it should be, in static memory. */
static struct feature_record content(size_t number)
{
    static float features[FLOATS];
    static struct truth truths[TRUTHS];
    unsigned noise = (unsigned)number + 1;
    for (int i = 0; i < FLOATS; i++) {
        features[i] = test_noise(&noise);
    }
    for (int i = 0; i < TRUTHS; i++) {
        truths[i] = (struct truth){{test_noise(&noise), 0.5f, 0.25f, 0.125f}, i};
    }
    return (struct feature_record){features, truths, number % (TRUTHS + 1), number * 3};
}

static bool holds(const struct feature_cache *cache, size_t number)
{
    struct feature_record got, want = content(number);
    return feature_cache_get(cache, number, buffer, &got) && got.truth_count == want.truth_count &&
           got.sample_index == want.sample_index &&
           memcmp(got.features, want.features, FLOATS * sizeof(float)) == 0 &&
           memcmp(got.truths, want.truths, want.truth_count * sizeof *want.truths) == 0;
}

static bool lacks(const struct feature_cache *cache, size_t number)
{
    struct feature_record got;
    return !feature_cache_get(cache, number, buffer, &got);
}

static bool put(struct feature_cache *cache, size_t number)
{
    struct feature_record record = content(number);
    return feature_cache_put(cache, number, &record, &err) == OK;
}

static bool open_cache(const struct feature_cache_layout *l, struct feature_cache **cache)
{
    *cache = NULL;
    return feature_cache_open(folder, l, cache, &err) == OK;
}

static void test_records(void)
{
    static const size_t order[RECORDS] = {5, 0, 6, 2, 1, 3, 4}; /* holes, too */
    struct feature_cache *cache;
    CHECK(set_up() && open_cache(&layout, &cache));
    for (int i = 0; i < RECORDS; i++) {
        for (int k = i; k < RECORDS; k++) {
            CHECK(lacks(cache, order[k]));
        }
        CHECK_MSG(put(cache, order[i]), "%s", err.text);
        for (int k = 0; k <= i; k++) {
            CHECK(holds(cache, order[k]));
        }
    }
    CHECK(lacks(cache, RECORDS) && !put(cache, RECORDS));
    struct feature_record many = content(5);
    many.truth_count = TRUTHS + 1;
    CHECK(feature_cache_put(cache, 5, &many, &err) == ERR_ARG);
    CHECK(holds(cache, 5));
    feature_cache_close(cache);
    CHECK(open_cache(&layout, &cache)); /* another session */
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(holds(cache, i));
    }
    feature_cache_close(cache);
    struct stat file;
    CHECK(stat(path, &file) == 0);
    CHECK((size_t)file.st_size == RECORDS * feature_cache_record_bytes(&layout));
    feature_cache_remove(folder);
    CHECK(!path_exists(path));
}

/* Any flipped bit of what a record says makes it one that is not there, and it can be written
 * again. */
static void test_damage(void)
{
    struct feature_cache *cache;
    size_t record = feature_cache_record_bytes(&layout);
    size_t used = 32 + TRUTHS * sizeof(struct truth); /* then features, in a multiple of 64 bytes */
    used = (used + 63) / 64 * 64 + FLOATS * sizeof(float);
    CHECK(set_up() && open_cache(&layout, &cache));
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(put(cache, i));
    }
    FILE *f = fopen(path, "r+b");
    CHECK(f);
    setbuf(f, NULL);
    for (size_t at = 0; at < used; at += at < 300 ? 1 : 97) {
        long where = (long)(3 * record + at);
        fseek(f, where, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, where, SEEK_SET);
        fputc(byte ^ 1 << at % 8, f);
        CHECK_MSG(lacks(cache, 3), "byte %zu", at);
        CHECK(holds(cache, 2) && holds(cache, 4));
        if (at % 2) {
            CHECK(put(cache, 3));
        } else {
            fseek(f, where, SEEK_SET);
            fputc(byte, f);
        }
        CHECK(holds(cache, 3));
    }
    fclose(f);
    feature_cache_close(cache);
    /* A whole record in another's place. */
    char *bytes;
    size_t size;
    CHECK_OK(file_read(path, 1 << 20, &bytes, &size, &err));
    memcpy(bytes + record, bytes + 4 * record, record);
    f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, size - record / 2, f) == size - record / 2 && fclose(f) == 0);
    mem_free(bytes);
    CHECK(open_cache(&layout, &cache));
    CHECK(lacks(cache, 1) && holds(cache, 4));
    CHECK(lacks(cache, 6) && holds(cache, 5)); /* cut off in its middle */
    CHECK(put(cache, 6) && holds(cache, 6));
    feature_cache_close(cache);
}

/* Somebody shortens the file under a running training: what is gone is not there, the rest is. */
static void test_cut_short(void)
{
    struct feature_cache *cache;
    size_t record = feature_cache_record_bytes(&layout);
    CHECK(set_up() && open_cache(&layout, &cache));
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(put(cache, i));
    }
    for (size_t bytes = RECORDS * record; bytes > 0; bytes -= bytes < 1777 ? bytes : 1777) {
        CHECK(truncate(path, (off_t)bytes) == 0);
        for (size_t i = 0; i < RECORDS; i++) {
            CHECK_MSG(holds(cache, i) == ((i + 1) * record <= bytes),
                      "record %zu of a file of %zu bytes", i, bytes);
        }
    }
    CHECK(truncate(path, 0) == 0);
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(lacks(cache, i) && put(cache, i) && holds(cache, i));
    }
    feature_cache_close(cache);
}

static void test_other_key(void)
{
    struct feature_cache *cache;
    struct feature_cache_layout other = layout;
    CHECK(set_up() && open_cache(&layout, &cache));
    for (size_t i = 0; i < RECORDS; i++) {
        CHECK(put(cache, i));
    }
    feature_cache_close(cache);
    other.key ^= 1;
    other.records = 2; /* the file becomes shorter */
    CHECK(open_cache(&other, &cache));
    CHECK(lacks(cache, 0) && lacks(cache, 1));
    CHECK(put(cache, 0) && holds(cache, 0) && lacks(cache, 1));
    feature_cache_close(cache);
    struct stat file;
    CHECK(stat(path, &file) == 0);
    CHECK((size_t)file.st_size <= 2 * feature_cache_record_bytes(&other));
    CHECK(open_cache(&layout, &cache));
    CHECK(lacks(cache, 0) && holds(cache, 1) && lacks(cache, 2));
    feature_cache_close(cache);
}

/* At every size at which the disk can be full: an error, and what was there before stays readable.
 */
static void test_full_disk(void)
{
    struct feature_cache *cache;
    struct rlimit kept, limit;
    size_t record = feature_cache_record_bytes(&layout);
    CHECK(getrlimit(RLIMIT_FSIZE, &kept) == 0);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t room = 0; room < 2 * record; room += 509) {
        CHECK(set_up() && open_cache(&layout, &cache));
        limit = kept;
        limit.rlim_cur = room;
        fflush(NULL);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        bool first = put(cache, 0), second = first && put(cache, 1);
        CHECK(setrlimit(RLIMIT_FSIZE, &kept) == 0);
        CHECK_MSG(first == (room >= record) && !second, "%zu bytes of room", room);
        CHECK_MSG(strstr(err.text, feature_cache_name), "%s", err.text);
        CHECK(first ? holds(cache, 0) : lacks(cache, 0));
        CHECK(lacks(cache, 1));
        CHECK(put(cache, 1) && holds(cache, 1)); /* room again */
        feature_cache_close(cache);
    }
    signal(SIGXFSZ, SIG_DFL);
}

static void test_refused(void)
{
    struct feature_cache *cache;
    struct feature_cache_layout huge = layout;
    CHECK(set_up());
    huge.records = SIZE_MAX / 4;
    CHECK(!open_cache(&huge, &cache) && err.code == ERR_MEMORY);
    huge = layout;
    huge.floats = SIZE_MAX / 4;
    CHECK(feature_cache_record_bytes(&huge) == 0);
    CHECK(!open_cache(&huge, &cache) && err.code == ERR_MEMORY);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(!open_cache(&layout, &cache) && err.code == ERR_IO);
    CHECK_MSG(strstr(err.text, feature_cache_name), "%s", err.text);
    CHECK(rmdir(path) == 0);
    for (long k = 0; k < 2; k++) {
        mem_fail_after(k);
        bool opened = open_cache(&layout, &cache);
        mem_fail_after(-1);
        CHECK(!opened && err.code == ERR_MEMORY);
    }
}

static void test_room(void)
{
    char deep[160];
    struct feature_cache *cache;
    CHECK(set_up());
    uint64_t here = feature_cache_room(folder);
    CHECK(here > 0 && here < UINT64_MAX);
    snprintf(deep, sizeof deep, "%s/not/there//yet/", folder);
    CHECK_NEAR((double)feature_cache_room(deep), (double)here, 1e9); /* others write, too */
    CHECK(feature_cache_room("surely_no_such_folder/exp") > 0);
    CHECK(feature_cache_room("/surely_no_such_folder") > 0);
    CHECK(open_cache(&layout, &cache) && put(cache, 0));
    feature_cache_close(cache);
}

static const struct test_case cases[] = {
    {"records", test_records},     {"damage", test_damage},       {"cut short", test_cut_short},
    {"other key", test_other_key}, {"full disk", test_full_disk}, {"refused", test_refused},
    {"room", test_room},
};
TEST_MAIN(cases)
