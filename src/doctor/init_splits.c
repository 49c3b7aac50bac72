#include "doctor/init_splits.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/listing.h"
#include "base/path.h"
#include "base/log.h"
#include "data/inputs.h"
#include "data/part_names.h"

enum { PATH_SIZE = 4096, NAME_SIZE = 256, DEPTH_MOST = 3 };

/* Is a picture in the folder or below? An error only where none has been found. */
static enum result look_for_pictures(const char *folder, bool *has_pictures, struct error *err)
{
    struct inputs *inputs;
    struct input_item item;
    TRY(inputs_open(&folder, 1, &inputs, err));
    enum result result = OK;
    struct error later;
    int got;
    while ((got = inputs_next(inputs, &item, result == OK ? err : &later)) < 0) {
        result = result == OK ? err->code : result;
    }
    inputs_close(inputs);
    *has_pictures = got > 0;
    return *has_pictures ? OK : result;
}

/* The folder's own folder of that name, whatever its case; the exact one if it is there. out is "" if there is
 * none. */
static enum result find_child(const char *folder, const char *name, char *out, struct error *err)
{
    struct listing listing;
    out[0] = 0;
    enum result result = listing_read(folder, &listing, err);
    for (size_t i = 0; i < listing.count && result == OK; i++) {
        const struct listing_entry *entry = &listing.entries[i];
        bool is_exact = strcmp(entry->name, name) == 0;
        if (entry->is_dir && (is_exact || (!out[0] && strcasecmp(entry->name, name) == 0))) {
            result = path_in(out, PATH_SIZE, folder, entry->name, err);
        }
    }
    listing_free(&listing);
    return result;
}

/* What a folder has of one part. */
struct candidate {
    char name[NAME_SIZE], other[NAME_SIZE]; /* "": none; other: of the same rank */
    bool is_plain;                          /* the word and nothing else */
};

struct layout {
    const char *folder;
    bool is_lists;
    struct candidate parts[PART_NONE];
    size_t single_count; /* folders with pictures */
    char single[NAME_SIZE];
    char unused[600]; /* names of folders with pictures that are no part */
    char bare[600];   /* of parts without pictures */
};

static void add_name(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    if (used + strlen(name) + 8 < size) {
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
    } else if (used > 0 && list[used - 1] != '.') {
        snprintf(list + used, size - used, "...");
    }
}

static void take_entry(struct layout *layout, const char *name)
{
    size_t length = strlen(name) - (layout->is_lists ? strlen(".txt") : 0);
    enum set_part part = set_part_of(name, length);
    char word[NAME_SIZE];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    bool is_plain = part_of_word(word) == part;
    if (part >= PART_UNKNOWN) {
        add_name(layout->unused, sizeof layout->unused, name);
        return;
    }
    struct candidate *c = &layout->parts[part];
    if (!c->name[0] || (is_plain && !c->is_plain)) {
        snprintf(c->name, sizeof c->name, "%s", name);
        c->other[0] = 0;
        c->is_plain = is_plain;
    } else if (is_plain == c->is_plain) {
        snprintf(c->other, sizeof c->other, "%s", name);
    }
}

static enum result take_folder(struct layout *layout, const char *name, struct error *err)
{
    char path[PATH_SIZE];
    bool has_pictures = false;
    bool is_part = set_part_of(name, strlen(name)) < PART_UNKNOWN;
    struct error why;
    TRY(path_in(path, sizeof path, layout->folder, name, err));
    if (look_for_pictures(path, &has_pictures, &why) != OK) {
        if (is_part || why.code != ERR_IO) {
            *err = why;
            return why.code;
        }
        log_warn("%s (left out)", why.text);
    } else if (has_pictures) {
        layout->single_count++;
        snprintf(layout->single, sizeof layout->single, "%s", name);
        take_entry(layout, name);
    } else if (is_part) {
        add_name(layout->bare, sizeof layout->bare, name);
    }
    return OK;
}

static enum result read_layout(struct layout *layout, struct error *err)
{
    struct listing listing;
    enum result result = listing_read(layout->folder, &listing, err);
    for (size_t i = 0; i < listing.count && result == OK; i++) {
        const struct listing_entry *entry = &listing.entries[i];
        const char *name = entry->name;
        if (name[0] == '.' || strlen(name) >= NAME_SIZE || layout->is_lists == entry->is_dir) {
            continue;
        }
        if (entry->is_dir) {
            result = take_folder(layout, name, err);
        } else if (path_ends_in(name, ".txt") &&
                   set_part_of(name, path_stem_length(name)) < PART_UNKNOWN) {
            take_entry(layout, name);
        }
    }
    listing_free(&listing);
    return result;
}

/* The path of a part: its folder images, if it has one. */
static enum result take_part(const struct layout *layout, enum set_part part, char *out,
                             size_t size, struct error *err)
{
    static const char *const titles[] = {"training", "validation", "test"};
    const struct candidate *c = &layout->parts[part];
    char path[PATH_SIZE], images[PATH_SIZE] = "";
    if (c->other[0]) {
        error_at(err, ERR_ARG, layout->folder, 0, "%s and %s both look like the %s part", c->name,
                 c->other, titles[part]);
        return error_hint(err, "name the parts: --train and --valid");
    }
    TRY(path_in(path, sizeof path, layout->folder, c->name, err));
    if (!layout->is_lists) {
        TRY(find_child(path, "images", images, err));
    }
    return path_in(out, size, "", images[0] ? images : path, err);
}

static enum result take_layout(const struct layout *layout, char *train, char *valid, size_t size,
                               struct error *err)
{
    const struct candidate *parts = layout->parts;
    enum set_part validates = parts[PART_VALID].name[0] ? PART_VALID : PART_TEST;
    TRY(take_part(layout, PART_TRAIN, train, size, err));
    if (parts[validates].name[0]) {
        TRY(take_part(layout, validates, valid, size, err));
    }
    if (validates == PART_VALID && parts[PART_TEST].name[0]) {
        log_info("%s/%s: neither trained nor validated on", layout->folder, parts[PART_TEST].name);
    }
    if (layout->unused[0]) {
        log_warn(
            "%s: %s: pictures that are not used (parts are train, val, valid, validation, test)",
            layout->folder, layout->unused);
    }
    if (layout->bare[0]) {
        log_warn("%s: %s: no pictures in it", layout->folder, layout->bare);
    }
    return OK;
}

static enum result find_parts(const char *folder, int depth, char *train, char *valid, size_t size,
                              struct error *err)
{
    char images[PATH_SIZE], inner[PATH_SIZE];
    TRY(find_child(folder, "images", images, err));
    struct layout layouts[] = {{.folder = folder, .is_lists = true},
                               {.folder = images[0] ? images : NULL},
                               {.folder = folder}};
    const struct layout *last = &layouts[2];
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        if (layouts[i].folder) {
            TRY(read_layout(&layouts[i], err));
            if (layouts[i].parts[PART_TRAIN].name[0]) {
                return take_layout(&layouts[i], train, valid, size, err);
            }
        }
    }
    for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
        for (int part = PART_VALID; part <= PART_TEST; part++) {
            if (layouts[i].parts[part].name[0]) {
                error_at(
                    err, ERR_ARG, layouts[i].folder, 0,
                    "%s looks like a part that is not trained on, but there is none to train on",
                    layouts[i].parts[part].name);
                return error_hint(err, "name the parts: --train and --valid");
            }
        }
    }
    if (last->single_count == 1 && depth < DEPTH_MOST &&
        path_join(inner, sizeof inner, folder, last->single)) {
        return find_parts(inner, depth + 1, train, valid, size, err);
    }
    return OK;
}

enum result init_splits_find(const char *folder, char *train, char *valid, size_t size,
                             struct error *err)
{
    train[0] = valid[0] = 0;
    return find_parts(folder, 0, train, valid, size, err);
}
