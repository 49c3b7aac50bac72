#include "data/data_source.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/yaml.h"
#include "cfg/data_yaml.h"
#include "data/data_folder.h"
#include "data/ndjson.h"
#include "data/table_set.h"

enum { PATH_BYTES = 4096 };

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

/* supervision's data.yaml names classes alone: the pictures are those of its folder. */
static enum result take_folder(const char *path, struct data_file *file, struct error *err)
{
    char folder[PATH_BYTES];
    struct data_file inner;
    if (!path_beside(folder, sizeof folder, path, ".")) {
        return error_at(err, ERR_IO, path, 0, "path too long");
    }
    enum result result = data_folder_read(folder, &inner, err);
    if (result == OK) {
        log_info("%s: names neither train nor val: the pictures of %s", path, inner.train);
        file->train = inner.train;
        file->valid = inner.valid;
        inner.train = inner.valid = NULL;
    }
    data_file_free(&inner);
    return result;
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
    if (!yaml->parts[DATA_PART_TRAIN] && !yaml->parts[DATA_PART_VALID]) {
        return take_folder(yaml->path, file, err);
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

/* ---- NDJSON ---- */

/* Its parts stand for themselves. */
static enum result read_ndjson(const char *path, struct data_file *file, struct error *err)
{
    struct ndjson_head head;
    enum result result = ndjson_head_read(path, &head, err);
    if (result == OK) {
        file->path = mem_strdup(path);
        file->train = head.has_part[DATA_PART_TRAIN] ? mem_strdup(path) : NULL;
        file->valid = head.has_part[DATA_PART_VALID] ? mem_strdup(path) : NULL;
        file->names = head.names ? mem_strdup(path) : NULL;
        bool is_whole = file->path && (file->train || !head.has_part[DATA_PART_TRAIN]) &&
                        (file->valid || !head.has_part[DATA_PART_VALID]) &&
                        (file->names || !head.names);
        result = is_whole ? OK : mem_error(err, path);
        file->classes = (int)head.name_count;
    }
    ndjson_head_free(&head);
    return result;
}

/* ---- all kinds ---- */

bool data_has_parts(const char *path)
{
    return (yaml_is_named(path) || ndjson_is_named(path)) && !path_is_dir(path);
}

bool data_is_description(const char *path)
{
    return path_is_dir(path) ? data_folder_is_set(path)
                             : path_ends_in(path, ".data") || data_has_parts(path);
}

/* What lies in a folder describes it; else its layout does. */
static enum result read_folder(const char *folder, struct data_file *file, struct error *err)
{
    char inner[PATH_BYTES];
    if (data_folder_description(folder, inner)) {
        log_info("%s: as %s describes it", folder, inner);
        return data_source_read(inner, file, err);
    }
    TRY(data_folder_read(folder, file, err));
    if (file->valid || file->names) {
        log_info("%s: train %s, valid %s, names %s", folder, file->train,
                 file->valid ? file->valid : "none", file->names ? file->names : "none");
    }
    return OK;
}

enum result data_source_read(const char *path, struct data_file *file, struct error *err)
{
    *file = (struct data_file){0};
    if (path_is_dir(path)) {
        return read_folder(path, file, err);
    }
    if (!path_exists(path)) {
        return error_at(err, ERR_ARG, path, 0,
                        "no such file (a .data file, a data.yaml or a folder is expected)");
    }
    if (yaml_is_named(path)) {
        return read_yaml(path, file, err);
    }
    if (ndjson_is_named(path)) {
        return read_ndjson(path, file, err);
    }
    bool is_coco = path_ends_in(path, ".json");
    if (!is_coco && !table_is_named(path)) {
        return data_file_read(path, file, err);
    }
    file->path = mem_strdup(path);
    file->train = mem_strdup(path);
    file->names = is_coco ? mem_strdup(path) : NULL;
    return file->path && file->train ? OK : mem_error(err, path);
}

enum result data_source_train(const char *path, struct data_file *file, const char **train,
                              struct error *err)
{
    *file = (struct data_file){0};
    *train = path;
    if (!data_is_description(path)) {
        return OK;
    }
    TRY(data_source_read(path, file, err));
    *train = file->train;
    return data_file_need(file, DATA_TRAIN, err);
}
