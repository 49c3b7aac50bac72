#include "data/data_folder.h"

#include <stdio.h>
#include <string.h>

#include "base/listing.h"
#include "base/memory.h"
#include "base/path.h"
#include "data/coco_names.h"
#include "data/part_names.h"

enum { PATH_BYTES = 4096 };

static const char roboflow_coco[] = "_annotations.coco.json";

static bool find(const char *folder, const char *name, char *out)
{
    return path_join(out, PATH_BYTES, folder, name) && path_exists(out) && !path_is_dir(out);
}

/* The only file of the folder with that beginning and ending. */
static bool find_only(const char *folder, const char *begin, const char *ending, char *out)
{
    struct listing listing;
    struct error unread;
    size_t count = 0;
    if (path_is_dir(folder) && listing_read(folder, &listing, &unread) == OK) {
        for (size_t i = 0; i < listing.count; i++) {
            const struct listing_entry *entry = &listing.entries[i];
            if (!entry->is_dir && strncmp(entry->name, begin, strlen(begin)) == 0 &&
                path_ends_in(entry->name, ending)) {
                count += path_join(out, PATH_BYTES, folder, entry->name);
            }
        }
        listing_free(&listing);
    }
    return count == 1;
}

bool data_folder_description(const char *folder, char *out)
{
    return find(folder, "data.yaml", out) || find(folder, "data.yml", out) ||
           find(folder, "dataset.yaml", out) || find_only(folder, "", ".data", out) ||
           find_only(folder, "", ".ndjson", out);
}

/* ---- folders ---- */

/* A folder of that name in `folder`, or a table: its name with ending. */
static bool find_named(const char *folder, const char *part, char *name, size_t size)
{
    static const char *const endings[] = {"", ".csv", ".tsv", ".npy"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[PATH_BYTES];
        snprintf(name, size, "%s%s", part, endings[i]);
        if (path_join(path, sizeof path, folder, name) && path_exists(path) &&
            path_is_dir(path) == (endings[i][0] == 0)) {
            return true;
        }
    }
    return false;
}

static bool find_part(const char *folder, enum set_part part, char *name, size_t size)
{
    const char *word;
    bool found = false;
    for (size_t i = 0; !found && (word = part_name(part, i)) != NULL; i++) {
        found = find_named(folder, word, name, size);
    }
    return found;
}

static bool find_valid_part(const char *folder, char *name, size_t size)
{
    return find_part(folder, PART_VALID, name, size) || find_part(folder, PART_TEST, name, size);
}

/* A folder in `folder` with parts to train and to validate on, where the data really are: its name. */
static enum result find_part_below(const char *folder, char *below, size_t size, struct error *err)
{
    struct listing listing;
    below[0] = 0;
    TRY(listing_read(folder, &listing, err));
    for (size_t i = 0; i < listing.count && !below[0]; i++) {
        char path[PATH_BYTES], part[64];
        if (listing.entries[i].is_dir && listing.entries[i].name[0] != '.' &&
            path_join(path, sizeof path, folder, listing.entries[i].name) &&
            find_part(path, PART_TRAIN, part, sizeof part) &&
            find_valid_part(path, part, sizeof part)) {
            snprintf(below, size, "%s", listing.entries[i].name);
        }
    }
    listing_free(&listing);
    return OK;
}

static enum result check_no_part_below(const char *folder, struct error *err)
{
    char below[PATH_BYTES];
    TRY(find_part_below(folder, below, sizeof below, err));
    if (!below[0]) {
        return OK;
    }
    error_at(err, ERR_FORMAT, folder, 0, "no train/ in it, but in %.200s", below);
    return error_hint(err, "--data %.300s/%.200s", folder, below);
}

/* ---- parts ---- */

static enum result keep(char **out, const char *path, struct error *err)
{
    *out = mem_strdup(path);
    return *out ? OK : mem_error(err, path);
}

/* The part itself, or the annotations in it. */
static enum result keep_part(char **out, const char *folder, const char *name, struct error *err)
{
    char path[PATH_BYTES], json[PATH_BYTES];
    TRY(path_in(path, sizeof path, folder, name, err));
    return keep(out, path_is_dir(path) && find(path, roboflow_coco, json) ? json : path, err);
}

static enum result take_parts(const char *folder, struct data_file *file, struct error *err)
{
    char name[64];
    if (!find_part(folder, PART_TRAIN, name, sizeof name)) {
        return OK;
    }
    TRY(keep_part(&file->train, folder, name, err));
    return find_valid_part(folder, name, sizeof name) ? keep_part(&file->valid, folder, name, err)
                                                      : OK;
}

static enum result take_coco(const char *folder, struct data_file *file, struct error *err)
{
    static const char *const names[] = {"annotations.json", "labels.json", "result.json",
                                        roboflow_coco};
    char annotations[PATH_BYTES], path[PATH_BYTES];
    TRY(path_in(annotations, sizeof annotations, folder, "annotations", err));
    if (find_only(annotations, "instances_train", ".json", path)) {
        TRY(keep(&file->train, path, err));
        return find_only(annotations, "instances_val", ".json", path)
                   ? keep(&file->valid, path, err)
                   : OK;
    }
    bool is_found = find_only(annotations, "instances_", ".json", path);
    for (size_t i = 0; !is_found && i < sizeof names / sizeof names[0]; i++) {
        is_found = find(folder, names[i], path);
    }
    return is_found ? keep(&file->train, path, err) : OK;
}

static bool find_list(const char *folder, enum set_part part, char *out)
{
    const char *word;
    bool found = false;
    for (size_t i = 0; !found && (word = part_name(part, i)) != NULL; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.txt", word);
        found = find(folder, name, out);
    }
    return found;
}

static enum result take_lists(const char *folder, struct data_file *file, struct error *err)
{
    char path[PATH_BYTES];
    if (find(folder, "images.txt", path)) {
        return keep(&file->train, path, err);
    }
    if (!find_list(folder, PART_TRAIN, path)) {
        return OK;
    }
    TRY(keep(&file->train, path, err));
    return find_list(folder, PART_VALID, path) || find_list(folder, PART_TEST, path)
               ? keep(&file->valid, path, err)
               : OK;
}

/* ---- names ---- */

static enum result take_names(const char *folder, struct data_file *file, struct error *err)
{
    char notes[PATH_BYTES], path[PATH_BYTES];
    bool has_notes = find(folder, "notes.json", notes);
    bool has_list = find(folder, "classes.txt", path);
    if (has_notes) {
        TRY(has_list ? coco_names_check(notes, path, err) : OK);
        return keep(&file->names, notes, err);
    }
    bool is_found =
        has_list || find(folder, "obj.names", path) || find_only(folder, "", ".names", path) ||
        (file->train && path_is_dir(file->train) && find(file->train, "_darknet.labels", path));
    if (!is_found && file->train && path_ends_in(file->train, ".json")) {
        return keep(&file->names, file->train, err);
    }
    return is_found ? keep(&file->names, path, err) : OK;
}

static enum result take_layout(const char *folder, struct data_file *file, struct error *err)
{
    char images[PATH_BYTES];
    TRY(take_parts(folder, file, err));
    if (!file->train && path_join(images, sizeof images, folder, "images")) {
        TRY(take_parts(images, file, err));
    }
    TRY(file->train ? OK : take_coco(folder, file, err));
    TRY(file->train ? OK : take_lists(folder, file, err));
    return take_names(folder, file, err);
}

enum result data_folder_read(const char *folder, struct data_file *file, struct error *err)
{
    *file = (struct data_file){0};
    TRY(keep(&file->path, folder, err));
    TRY(take_layout(folder, file, err));
    if (file->train) {
        return OK;
    }
    TRY(file->names ? OK : check_no_part_below(folder, err));
    return keep(&file->train, folder, err);
}

bool data_folder_is_set(const char *folder)
{
    char path[PATH_BYTES];
    struct data_file file = {0};
    struct error why;
    bool is_set = data_folder_description(folder, path) || take_layout(folder, &file, &why) != OK ||
                  file.train || file.names;
    data_file_free(&file);
    return is_set;
}
