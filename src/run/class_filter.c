#include "run/class_filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/memory.h"
#include "base/suggest.h"

/* Digits only, and not longer than any class count. */
static bool read_number(const char *text, char **end, size_t *number)
{
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    unsigned long value = strtoul(text, end, 10);
    *number = value;
    return *end - text <= 9;
}

static enum result unknown_name(const char *item, char *const *names, size_t name_count,
                                struct error *err)
{
    const char *nearest = suggest(item, (const char *const *)names, name_count);
    error_set(err, ERR_ARG, "--classes: the model knows no class '%s'", item);
    if (nearest) {
        return error_hint(err, "did you mean '%s'?", nearest);
    }
    return error_hint(err, "names as in the names file, numbers 0-%zu, ranges like 5-8",
                      name_count - 1);
}

static enum result add_item(const char *item, char *const *names, size_t name_count, bool *wanted,
                            struct error *err)
{
    bool is_name = false;
    for (size_t i = 0; i < name_count; i++) {
        if (strcasecmp(item, names[i]) == 0) {
            wanted[i] = true;
            is_name = true;
        }
    }
    if (is_name) {
        return OK;
    }
    size_t first, last;
    char *end;
    if (!read_number(item, &end, &first)) {
        return unknown_name(item, names, name_count, err);
    }
    last = first;
    if (*end == '-' && !read_number(end + 1, &end, &last)) {
        return unknown_name(item, names, name_count, err);
    }
    if (*end != 0) {
        return unknown_name(item, names, name_count, err);
    }
    if (first > last || last >= name_count) {
        return error_set(err, ERR_ARG, "--classes: '%s' is outside the model's classes 0-%zu", item,
                         name_count - 1);
    }
    for (size_t i = first; i <= last; i++) {
        wanted[i] = true;
    }
    return OK;
}

static enum result add_items(char *text, char *const *names, size_t name_count, bool *wanted,
                             struct error *err)
{
    for (char *item = text, *next; item; item = next) {
        next = strchr(item, ',');
        if (next) {
            *next++ = 0;
        }
        item = text_trim(item);
        if (!*item) {
            return error_set(err, ERR_ARG, "--classes: an empty item (write them as dog,2,5-8)");
        }
        TRY(add_item(item, names, name_count, wanted, err));
    }
    return OK;
}

enum result class_filter_parse(const char *text, char *const *names, size_t name_count,
                               bool **wanted, struct error *err)
{
    char *copy = mem_strdup(text);
    bool *flags = mem_alloc(name_count, sizeof flags[0]);
    enum result result = copy && flags ? add_items(copy, names, name_count, flags, err)
                                       : mem_error(err, "--classes");
    mem_free(copy);
    if (result != OK) {
        mem_free(flags);
        return result;
    }
    *wanted = flags;
    return OK;
}
