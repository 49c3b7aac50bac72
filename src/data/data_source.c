#include "data/data_source.h"

#include <stdio.h>
#include <string.h>

#include "base/listing.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/yaml.h"
#include "cfg/data_yaml.h"
#include "data/table_set.h"

enum { PATH_BYTES = 4096 };

/* ---- folders ---- */

static enum result keep_path(char **out, const char *folder, const char *name, struct error *err)
{
    char path[PATH_BYTES];
    TRY(path_in(path, sizeof path, folder, name, err));
    *out = mem_strdup(name[0] ? path : folder);
    return *out ? OK : mem_error(err, folder);
}

/* A folder of that name in `folder`, or a table: its name with ending. */
static bool find_part(const char *folder, const char *part, char *name, size_t size)
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

static bool find_valid_part(const char *folder, char *name, size_t size)
{
    static const char *const names[] = {"val", "valid", "validation", "test"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++) {
        found = find_part(folder, names[i], name, size);
    }
    return found;
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
            find_part(path, "train", part, sizeof part) &&
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

enum result data_folder_read(const char *folder, struct data_file *file, struct error *err)
{
    *file = (struct data_file){0};
    file->path = mem_strdup(folder);
    if (!file->path) {
        return mem_error(err, folder);
    }
    char name[64];
    bool has_train = find_part(folder, "train", name, sizeof name);
    TRY(has_train ? OK : check_no_part_below(folder, err));
    TRY(keep_path(&file->train, folder, has_train ? name : "", err));
    bool has_valid = has_train && find_valid_part(folder, name, sizeof name);
    return has_valid ? keep_path(&file->valid, folder, name, err) : OK;
}

/* ---- data.yaml ---- */

/* A part stands for all of its paths, once they are there. */
static enum result take_part(const struct data_yaml *yaml, enum data_part part, char **out,
                             int *line, struct error *err)
{
    char path[PATH_BYTES];
    for (size_t i = 0; i < data_yaml_count(yaml, part); i++) {
        TRY(data_yaml_path(yaml, part, i, path, err));
        *line = yaml->parts[part]->line;
    }
    *out = *line ? mem_strdup(yaml->path) : NULL;
    return *line && !*out ? mem_error(err, yaml->path) : OK;
}

static enum result take_yaml(const struct data_yaml *yaml, struct data_file *file,
                             struct error *err)
{
    file->path = mem_strdup(yaml->path);
    file->names = yaml->names ? mem_strdup(yaml->path) : NULL;
    file->classes = yaml->classes;
    if (!file->path || (yaml->names && !file->names)) {
        return mem_error(err, yaml->path);
    }
    if (!yaml->names && yaml->classes == 0) {
        return error_at(err, ERR_FORMAT, yaml->path, 0,
                        "no classes (names: [dog, cat], or nc: 2, is expected)");
    }
    TRY(take_part(yaml, DATA_PART_TRAIN, &file->train, &file->lines[DATA_TRAIN], err));
    return take_part(yaml, DATA_PART_VALID, &file->valid, &file->lines[DATA_VALID], err);
}

static enum result read_yaml(const char *path, struct data_file *file, struct error *err)
{
    struct data_yaml yaml;
    enum result result = data_yaml_read(path, true, &yaml, err);
    result = result == OK ? take_yaml(&yaml, file, err) : result;
    data_yaml_free(&yaml);
    return result;
}

/* ---- all kinds ---- */

bool data_is_description(const char *path)
{
    return (path_ends_in(path, ".data") || yaml_is_named(path)) && !path_is_dir(path);
}

enum result data_source_read(const char *path, struct data_file *file, struct error *err)
{
    *file = (struct data_file){0};
    if (path_is_dir(path)) {
        return data_folder_read(path, file, err);
    }
    if (!path_exists(path)) {
        return error_at(err, ERR_ARG, path, 0,
                        "no such file (a .data file, a data.yaml or a folder is expected)");
    }
    if (yaml_is_named(path)) {
        return read_yaml(path, file, err);
    }
    if (!table_is_named(path)) {
        return data_file_read(path, file, err);
    }
    file->path = mem_strdup(path);
    file->train = mem_strdup(path);
    return file->path && file->train ? OK : mem_error(err, path);
}
