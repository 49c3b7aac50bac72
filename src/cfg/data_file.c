#include "cfg/data_file.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sniff.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/lookup.h"
#include "base/yaml.h"

enum { DATA_MAX_BYTES = 1024 * 1024, PATH_SIZE = 4096 };

#define BLANKS " \t\r"

static const char *const path_keys[DATA_KEY_COUNT] = {"train", "valid", "names", "backup"};

/* Darknet knows these keys, too. Some do nothing here, but are no mistakes. */
static const char *const all_keys[] = {
    "train", "valid", "names",     "backup", "classes", "labels",      "top",      "results",
    "eval",  "map",   "difficult", "leaves", "test",    "saveweights", "savelast", "val",
};

/* Other names of keys: Darknet's of classifiers, and those of other tools. */
static const struct {
    const char *name;
    enum data_key key;
} aliases[] = {{"labels", DATA_NAMES}, {"val", DATA_VALID}, {"validation", DATA_VALID}};

/* The key of that name; DATA_KEY_COUNT if it is none that names a path. */
static enum data_key find_key(const char *name, bool *is_alias)
{
    *is_alias = false;
    for (int i = 0; i < DATA_KEY_COUNT; i++) {
        if (strcmp(name, path_keys[i]) == 0) {
            return (enum data_key)i;
        }
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (strcmp(name, aliases[i].name) == 0) {
            *is_alias = true;
            return aliases[i].key;
        }
    }
    return DATA_KEY_COUNT;
}

static char **path_field(struct data_file *file, enum data_key key)
{
    char **const fields[] = {&file->train, &file->valid, &file->names, &file->backup};
    return fields[key];
}

static enum result set_path(struct data_file *file, enum data_key key, const char *value, int line,
                            struct error *err)
{
    char found[PATH_SIZE];
    const char *path = value;
    if (lookup_find(file->path, value, LOOKUP_BESIDE, found, sizeof found)) {
        path = found;
    } else if (key == DATA_BACKUP && path_beside(found, sizeof found, file->path, value)) {
        path = found; /* a folder to be made */
    }
    char *copy = mem_strdup(path);
    if (!copy) {
        return mem_error(err, file->path);
    }
    mem_free(*path_field(file, key));
    *path_field(file, key) = copy;
    file->lines[key] = line;
    return OK;
}

static enum result set_classes(struct data_file *file, const char *value, int line,
                               struct error *err)
{
    char *end;
    long number = strtol(value, &end, 10);
    if ((*end && *end != '#') || end == value || number < 1 || number > INT_MAX) {
        return error_at(err, ERR_FORMAT, file->path, line,
                        "classes: \"%.40s\" is no number of "
                        "classes",
                        value);
    }
    file->classes = (int)number;
    return OK;
}

static void warn_unknown(const struct data_file *file, const char *key, int line)
{
    size_t count = sizeof all_keys / sizeof all_keys[0];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all_keys[i], key) == 0) {
            return;
        }
    }
    const char *near = suggest(key, all_keys, count);
    log_warn("%s:%d: unknown key %.60s%s%s%s", file->path, line, key, near ? " (did you mean " : "",
             near ? near : "", near ? "?)" : "");
}

/* These keys are not read. Darknet's `eval` names a kind of results, and its detectors have no
 * `test`; but whoever writes a list there wants it to be used. */
static void look_at(struct data_file *file, const char *key, const char *value, int line)
{
    if (strcmp(key, "test") == 0) {
        file->test_line = line;
    } else if (strcmp(key, "eval") == 0 && (strchr(value, '/') || strchr(value, '.'))) {
        log_warn("%s:%d: eval is no list of pictures and is not read (did you mean valid?)",
                 file->path, line);
    } else {
        warn_unknown(file, key, line);
    }
}

/* A word of a value that begins with '#' begins a comment, as in a cfg, unless the whole value names something. */
static void cut_comment(const struct data_file *file, const char *key, char *value, int line)
{
    char found[PATH_SIZE];
    char *hash = strchr(value, '#');
    while (hash && hash != value && !strchr(BLANKS, hash[-1])) {
        hash = strchr(hash + 1, '#');
    }
    if (!hash || lookup_find(file->path, value, LOOKUP_BESIDE, found, sizeof found)) {
        return;
    }
    bool is_alias;
    *hash = 0;
    text_trim(value);
    if (value[0] && find_key(key, &is_alias) != DATA_KEY_COUNT) {
        log_warn(
            "%s:%d: %s: a comment behind a value counts as part of it in Darknet; read as '%.200s'",
            file->path, line, key, value);
    }
}

/* As in Darknet the first of two equal keys wins; a key's own name wins over its other names. */
static enum result set_key(struct data_file *file, const char *key, const char *value, int line,
                           struct error *err)
{
    bool is_alias;
    enum data_key number = find_key(key, &is_alias);
    if (strcmp(key, "classes") == 0) {
        return file->classes ? OK : set_classes(file, value, line, err);
    }
    if (number == DATA_KEY_COUNT) {
        look_at(file, key, value, line);
        return OK;
    }
    int before = file->lines[number];
    if (before > 0 || (before < 0 && is_alias)) {
        if (number != DATA_NAMES || !is_alias) {
            log_warn("%s:%d: %s is given again; line %d counts", file->path, line, key,
                     abs(before));
        }
        return OK;
    }
    TRY(set_path(file, number, value, line, err));
    if (is_alias) {
        file->lines[number] = -line;
    }
    return OK;
}

static enum result read_line(struct data_file *file, char *text, int line, struct error *err)
{
    text = text_trim(text);
    if (!text[0] || text[0] == '#' || text[0] == ';') {
        return OK;
    }
    char *equals = strchr(text, '=');
    const char *kind = equals ? NULL : sniff_structured(text);
    if (kind) {
        return error_at(err, ERR_FORMAT, file->path, line, "%s", kind);
    }
    if (!equals || equals == text) {
        return error_at(err, ERR_FORMAT, file->path, line,
                        "\"%.40s\": key = value is expected (is this a .data file?)", text);
    }
    *equals = 0;
    char *key = text_trim(text);
    char *value = text_trim(equals + 1);
    cut_comment(file, key, value, line);
    if (!value[0]) {
        return error_at(err, ERR_FORMAT, file->path, line, "%.60s has no value", key);
    }
    return set_key(file, key, value, line, err);
}

static enum result read_text(struct data_file *file, char *text, size_t size, struct error *err)
{
    if (memchr(text, 0, size)) {
        const char *kind = sniff_wide(text, size);
        return error_at(err, ERR_FORMAT, file->path, 0, "%s", kind ? kind : "not a text file");
    }
    int number = 0;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = 0;
        }
        TRY(read_line(file, line, ++number, err));
        line = end ? end + 1 : NULL;
    }
    for (int i = 0; i < DATA_KEY_COUNT; i++) {
        file->lines[i] = abs(file->lines[i]);
    }
    if (file->test_line && !file->valid) {
        log_warn(
            "%s:%d: test is not read: what is measured on while training is valid (see: yolo eval)",
            file->path, file->test_line);
    }
    return OK;
}

enum result data_file_read(const char *path, struct data_file *file, struct error *err)
{
    *file = (struct data_file){0};
    char *text;
    size_t size;
    if (strlen(path) >= PATH_SIZE) {
        return error_at(err, ERR_IO, path, 0, "path too long");
    }
    if (!path_exists(path)) {
        return error_at(err, ERR_ARG, path, 0, "no such file (a Darknet .data file is expected)");
    }
    TRY(file_read(path, DATA_MAX_BYTES, &text, &size, err));
    file->path = mem_strdup(path);
    size_t skip = text_mark(text, size);
    enum result result =
        file->path ? read_text(file, text + skip, size - skip, err) : mem_error(err, path);
    mem_free(text);
    return result;
}

enum result data_file_need(const struct data_file *file, enum data_key key, struct error *err)
{
    struct data_file copy = *file;
    const char *value = *path_field(&copy, key);
    if (!value) {
        return yaml_is_named(file->path)
                   ? error_at(err, ERR_FORMAT, file->path, 0, "no \"%s: ...\" in it",
                              key == DATA_VALID ? "val" : path_keys[key])
                   : error_at(err, ERR_FORMAT, file->path, 0, "no line \"%s = ...\"",
                              path_keys[key]);
    }
    if (path_exists(value)) {
        return OK;
    }
    char tried[sizeof err->text];
    lookup_tried(file->path, value, LOOKUP_BESIDE, tried, sizeof tried);
    return error_at(err, ERR_FORMAT, file->path, file->lines[key], "%s: no such file (tried %s)",
                    path_keys[key], tried);
}

void data_file_free(struct data_file *file)
{
    mem_free(file->train);
    mem_free(file->valid);
    mem_free(file->names);
    mem_free(file->backup);
    mem_free(file->path);
    *file = (struct data_file){0};
}

void data_file_write(FILE *out, size_t classes, const char *train, const char *valid,
                     const char *stem)
{
    fprintf(out, "classes = %zu\n", classes);
    if (train) {
        fprintf(out, "train = %s\n", train);
    }
    if (valid) {
        fprintf(out, "valid = %s\n", valid);
    }
    fprintf(out, "names = %s.names\nbackup = backup\n", stem);
}
