#include "base/shard.h"

#include <stdio.h>
#include <string.h>

/* Digits and nothing else; 0 for what is no number of a share. */
static size_t read_number(const char *text, size_t length)
{
    size_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        number = number * 10 + (size_t)(text[i] - '0');
        if (number > SHARD_MAX) {
            return 0;
        }
    }
    return number;
}

enum result shard_parse(const char *text, struct shard *shard, struct error *err)
{
    *shard = (struct shard){0};
    if (!text) {
        return OK;
    }
    const char *slash = strchr(text, '/');
    size_t number = slash ? read_number(text, (size_t)(slash - text)) : 0;
    size_t count = slash ? read_number(slash + 1, strlen(slash + 1)) : 0;
    if (number == 0 || number > count) {
        return error_set(err, ERR_ARG,
                         "--shard %s: I/N is expected, share I of N, I from 1 to N (as in --shard "
                         "1/4; N at most %d)",
                         text, SHARD_MAX);
    }
    *shard = (struct shard){number, count};
    return OK;
}

void shard_range(const struct shard *shard, size_t total, size_t *first, size_t *end)
{
    if (shard->count == 0) {
        *first = 0;
        *end = total;
        return;
    }
    size_t before = shard->number - 1, each = total / shard->count, more = total % shard->count;
    *first = before * each + (before < more ? before : more);
    *end = *first + each + (before < more);
}

void shard_say(const struct shard *shard, size_t total, const char *things, char *out, size_t size)
{
    size_t first, end;
    shard_range(shard, total, &first, &end);
    if (first == end) {
        snprintf(out, size, "share %zu of %zu: none of the %zu %s", shard->number, shard->count,
                 total, things);
    } else {
        snprintf(out, size, "share %zu of %zu: %s %zu to %zu of %zu", shard->number, shard->count,
                 things, first + 1, end, total);
    }
}
