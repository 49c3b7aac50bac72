#include "train/feature_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/path.h"
#include "base/memory.h"
#include "train/stateio.h"

enum { PAGE_BYTES = 4096, STAT_BLOCK = 512, FEATURES_ALIGN = 64, MAX_TRUTHS = 1 << 24 };

const char feature_cache_name[] = "features.cache";

struct record_head {
    uint64_t hash, number, sample_index, truths;
};

struct feature_cache {
    struct feature_cache_layout layout;
    size_t features_at, record_bytes; /* in a record */
    int file;
    unsigned char *staged; /* [record_bytes], a record in the making */
    char path[4096];
};

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static size_t features_at(const struct feature_cache_layout *layout)
{
    return round_up(sizeof(struct record_head) + layout->truths * sizeof(struct truth),
                    FEATURES_ALIGN);
}

size_t feature_cache_record_bytes(const struct feature_cache_layout *layout)
{
    if (layout->truths > MAX_TRUTHS || layout->floats > SIZE_MAX / 2 / sizeof(float)) {
        return 0;
    }
    return round_up(features_at(layout) + layout->floats * sizeof(float), PAGE_BYTES);
}

static uint64_t record_hash(const struct feature_cache *c, const unsigned char *record)
{
    struct state_hash hash = {0};
    size_t end = c->features_at + c->layout.floats * sizeof(float);
    state_hash_add(&hash, &c->layout.key, sizeof c->layout.key);
    state_hash_add(&hash, record + sizeof hash.value, end - sizeof hash.value);
    return state_hash_value(&hash);
}

/* Of the folder, or of the nearest one above it that exists. */
static bool find_disk(const char *folder, struct statvfs *disk)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", folder);
    while (statvfs(path, disk) != 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            return statvfs(slash ? "/" : ".", disk) == 0;
        }
        *slash = '\0';
    }
    return true;
}

uint64_t feature_cache_room(const char *folder)
{
    char path[4096];
    struct stat file;
    struct statvfs disk;
    uint64_t own = 0;
    if (path_join(path, sizeof path, folder, feature_cache_name) && stat(path, &file) == 0) {
        own = (uint64_t)file.st_blocks * STAT_BLOCK;
    }
    return find_disk(folder, &disk) ? (uint64_t)disk.f_bavail * disk.f_frsize + own : UINT64_MAX;
}

/* ---- opening and closing ---- */

static enum result open_file(struct feature_cache *c, size_t most_bytes, struct error *err)
{
    struct stat file;
    c->file = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->file < 0 || fstat(c->file, &file) != 0) {
        return error_errno(err, c->path, "cannot open");
    }
    if (!S_ISREG(file.st_mode)) {
        return error_at(err, ERR_IO, c->path, 0, "is no regular file");
    }
    if ((uintmax_t)file.st_size > most_bytes && /* of another key */
        ftruncate(c->file, (off_t)most_bytes) != 0) {
        return error_errno(err, c->path, "cannot shorten");
    }
    return OK;
}

enum result feature_cache_open(const char *folder, const struct feature_cache_layout *layout,
                               struct feature_cache **cache, struct error *err)
{
    struct feature_cache *c = mem_alloc(1, sizeof *c);
    if (!c) {
        return mem_error(err, "features");
    }
    *c = (struct feature_cache){.layout = *layout,
                                .features_at = features_at(layout),
                                .record_bytes = feature_cache_record_bytes(layout),
                                .file = -1};
    enum result result = OK;
    size_t most_bytes;
    if (c->record_bytes == 0 || layout->records == 0 ||
        !size_mul(c->record_bytes, layout->records, &most_bytes) || most_bytes > PTRDIFF_MAX) {
        result = error_set(err, ERR_MEMORY, "a file of features of this size is not possible");
    } else if (!path_join(c->path, sizeof c->path, folder, feature_cache_name)) {
        result = error_at(err, ERR_IO, folder, 0, "path too long");
    } else if (!(c->staged = mem_alloc(c->record_bytes, 1))) {
        result = mem_error(err, "features");
    } else {
        result = open_file(c, most_bytes, err);
    }
    if (result != OK) {
        feature_cache_close(c);
        return result;
    }
    *cache = c;
    return OK;
}

void feature_cache_close(struct feature_cache *c)
{
    if (!c) {
        return;
    }
    if (c->file >= 0) {
        close(c->file);
    }
    mem_free(c->staged);
    mem_free(c);
}

void feature_cache_remove(const char *folder)
{
    char path[4096];
    if (path_join(path, sizeof path, folder, feature_cache_name)) {
        unlink(path);
    }
}

/* ---- records ---- */

static bool read_all(const struct feature_cache *c, size_t number, unsigned char *buffer)
{
    off_t at = (off_t)(number * c->record_bytes);
    for (size_t done = 0; done < c->record_bytes;) {
        ssize_t n = pread(c->file, buffer + done, c->record_bytes - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

bool feature_cache_get(const struct feature_cache *cache, size_t number, void *buffer,
                       struct feature_record *record)
{
    const unsigned char *from = buffer;
    struct record_head head;
    if (number >= cache->layout.records || !read_all(cache, number, buffer)) {
        return false;
    }
    memcpy(&head, from, sizeof head);
    if (head.number != number + 1 || head.truths > cache->layout.truths ||
        head.hash != record_hash(cache, from)) {
        return false;
    }
    *record = (struct feature_record){.features = (const void *)(from + cache->features_at),
                                      .truths = (const void *)(from + sizeof head),
                                      .truth_count = (size_t)head.truths,
                                      .sample_index = (size_t)head.sample_index};
    return true;
}

static enum result write_all(struct feature_cache *c, off_t at, struct error *err)
{
    for (size_t done = 0; done < c->record_bytes;) {
        ssize_t n = pwrite(c->file, c->staged + done, c->record_bytes - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n < 0 ? errno : ENOSPC;
            return error_errno(err, c->path, "cannot write");
        }
        done += (size_t)n;
    }
    return OK;
}

enum result feature_cache_put(struct feature_cache *cache, size_t number,
                              const struct feature_record *record, struct error *err)
{
    struct record_head head = {
        .number = number + 1, .sample_index = record->sample_index, .truths = record->truth_count};
    size_t at = number * cache->record_bytes;
    if (number >= cache->layout.records || record->truth_count > cache->layout.truths) {
        return error_at(err, ERR_ARG, cache->path, 0, "no room for record %zu with %zu truths",
                        number, record->truth_count);
    }
    memset(cache->staged, 0, cache->features_at);
    memcpy(cache->staged, &head, sizeof head);
    if (record->truth_count > 0) {
        memcpy(cache->staged + sizeof head, record->truths,
               record->truth_count * sizeof *record->truths);
    }
    memcpy(cache->staged + cache->features_at, record->features,
           cache->layout.floats * sizeof(float));
    head.hash = record_hash(cache, cache->staged);
    memcpy(cache->staged, &head, sizeof head);
    return write_all(cache, (off_t)at, err);
}
