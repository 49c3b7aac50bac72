#include "cfg/data_yaml.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/yaml.h"

enum { PATH_SIZE = 4096, NAME_MAX_BYTES = 255, KEY_NUMBERS_MAX = 10000 };

/* Those that are read; then those that mean nothing here, and are no mistakes. */
static const char *const known_keys[] = {
    "path",     "train",     "val",       "valid",       "validation", "test",      "names",
    "nc",       "kpt_shape", "download",  "minival",     "flip_idx",   "kpt_names", "roboflow",
    "channels", "task",      "yaml_file", "description", "author",     "license",   "date",
    "version",  "name",      "url",       "bytes",       "created_at", "info",      "stride",
};

static enum result fault(const struct data_yaml *yaml, const struct yaml_node *node,
                         struct error *err, const char *what)
{
    return error_at(err, ERR_FORMAT, yaml->path, node->line, "%.60s: %s", node->key, what);
}

/* A member that says something. */
static const struct yaml_node *find(const struct data_yaml *yaml, const char *key)
{
    const struct yaml_node *node = yaml_find(yaml->root, key);
    return node && !node->is_nothing ? node : NULL;
}

/* ---- classes ---- */

static bool whole(const char *text, long most, long *number)
{
    char *end;
    *number = strtol(text, &end, 10);
    return end != text && !*end && *number >= 0 && *number <= most;
}

static enum result read_count(struct data_yaml *yaml, struct error *err)
{
    const struct yaml_node *node = find(yaml, "nc");
    long count = 0;
    if (!node) {
        return OK;
    }
    if (node->kind != YAML_TEXT || !whole(node->text, INT_MAX, &count) || count < 1) {
        return fault(yaml, node, err, "a number of classes is expected");
    }
    yaml->classes = (int)count;
    yaml->classes_line = node->line;
    return OK;
}

/* Names label boxes and become folders of crops. */
static const char *name_fault(const struct yaml_node *node)
{
    return node->kind != YAML_TEXT               ? "names: a name is no text"
           : node->is_nothing || !node->text[0]  ? "names: a class without a name"
           : strlen(node->text) > NAME_MAX_BYTES ? "names: a name of more than 255 bytes"
           : !text_fits_list(node->text)         ? "names: a name with control characters"
                                                 : NULL;
}

/* Which class a member names. */
static enum result number_of(const struct data_yaml *yaml, const struct yaml_node *node,
                             size_t place, size_t count, size_t *number, struct error *err)
{
    long id = (long)place;
    if (node->key && !whole(node->key, LONG_MAX - 1, &id)) {
        return error_at(err, ERR_FORMAT, yaml->path, node->line,
                        "names: \"%.60s\" is no class (0: name is expected)", node->key);
    }
    if ((size_t)id >= count) {
        return error_at(err, ERR_FORMAT, yaml->path, node->line,
                        "names: class %ld, but there are %zu names (0 to %zu are expected)", id,
                        count, count - 1);
    }
    *number = (size_t)id;
    return OK;
}

static enum result take_names(struct data_yaml *yaml, const struct yaml_node *list,
                              struct error *err)
{
    size_t bytes = 0, place = 0;
    for (const struct yaml_node *node = list->first; node; node = node->next) {
        const char *why = name_fault(node);
        if (why) {
            return error_at(err, ERR_FORMAT, yaml->path, node->line, "%s", why);
        }
        bytes += strlen(node->text) + 1;
    }
    yaml->names = mem_alloc(1, list->count * sizeof *yaml->names + bytes);
    if (!yaml->names) {
        return mem_error(err, yaml->path);
    }
    yaml->name_count = list->count;
    char *text = (char *)(yaml->names + list->count);
    for (const struct yaml_node *node = list->first; node; node = node->next) {
        size_t number = 0, length = strlen(node->text) + 1;
        TRY(number_of(yaml, node, place++, list->count, &number, err));
        if (yaml->names[number]) { /* 0: and "00": */
            return error_at(err, ERR_FORMAT, yaml->path, node->line,
                            "names: class %zu is given again", number);
        }
        yaml->names[number] = memcpy(text, node->text, length);
        text += length;
    }
    return OK;
}

static enum result read_names(struct data_yaml *yaml, struct error *err)
{
    const struct yaml_node *node = find(yaml, "names");
    if (!node) {
        return OK;
    }
    if (node->kind == YAML_TEXT || node->count == 0) {
        return fault(yaml, node, err, "a list of names, or a map \"0: name\", is expected");
    }
    TRY(take_names(yaml, node, err));
    if (yaml->classes && (size_t)yaml->classes != yaml->name_count) {
        return error_at(err, ERR_FORMAT, yaml->path, yaml->classes_line,
                        "nc: %d, but line %d names %zu classes", yaml->classes, node->line,
                        yaml->name_count);
    }
    yaml->classes = (int)yaml->name_count;
    return OK;
}

static enum result read_key_points(struct data_yaml *yaml, struct error *err)
{
    const struct yaml_node *node = find(yaml, "kpt_shape");
    long points, numbers;
    if (!node) {
        return OK;
    }
    if (node->kind != YAML_LIST || node->count != 2 || node->first->kind != YAML_TEXT ||
        node->last->kind != YAML_TEXT || !whole(node->first->text, KEY_NUMBERS_MAX, &points) ||
        !whole(node->last->text, 3, &numbers)) {
        return fault(yaml, node, err, "[points, 2 or 3] is expected");
    }
    yaml->key_numbers = (int)(points * numbers);
    return OK;
}

/* ---- parts ---- */

static enum result check_part(const struct data_yaml *yaml, const struct yaml_node *node,
                              struct error *err)
{
    static const char what[] = "a path, or a list of paths, is expected";
    if (node->kind == YAML_TEXT) {
        return node->text[0] ? OK : fault(yaml, node, err, what);
    }
    bool is_list = node->kind == YAML_LIST && node->count > 0;
    for (const struct yaml_node *entry = node->first; entry; entry = entry->next) {
        is_list = is_list && entry->kind == YAML_TEXT && entry->text[0];
    }
    return is_list ? OK : fault(yaml, node, err, what);
}

static enum result find_parts(struct data_yaml *yaml, bool tells, struct error *err)
{
    static const char *const words[DATA_PART_COUNT][5] = {
        [DATA_PART_TRAIN] = {"train"}, [DATA_PART_VALID] = {"val", "valid", "validation", "test"}};
    for (int part = 0; part < DATA_PART_COUNT; part++) {
        const struct yaml_node **found = &yaml->parts[part];
        for (size_t i = 0; !*found && words[part][i]; i++) {
            *found = find(yaml, words[part][i]);
        }
        TRY(*found ? check_part(yaml, *found, err) : OK);
    }
    const struct yaml_node *valid = yaml->parts[DATA_PART_VALID];
    if (tells && valid && strcmp(valid->key, "test") == 0) {
        log_info("%s:%d: no val, so test is validated on", yaml->path, valid->line);
    }
    return OK;
}

static void tell_unknown(const struct data_yaml *yaml)
{
    size_t count = sizeof known_keys / sizeof known_keys[0];
    for (const struct yaml_node *node = yaml->root->first; node; node = node->next) {
        bool is_known = false;
        for (size_t i = 0; i < count; i++) {
            is_known = is_known || strcmp(known_keys[i], node->key) == 0;
        }
        const char *near = is_known ? NULL : suggest(node->key, known_keys, count);
        if (!is_known) {
            struct error text;
            error_at(&text, ERR_FORMAT, yaml->path, node->line, "unknown key %.60s%s%s%s",
                     node->key, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
            log_warn("%s", text.text);
        }
    }
}

enum result data_yaml_read(const char *path, bool tells, struct data_yaml *yaml, struct error *err)
{
    *yaml = (struct data_yaml){.path = mem_strdup(path)};
    if (!yaml->path) {
        return mem_error(err, path);
    }
    TRY(yaml_tree_read(path, &yaml->root, err));
    TRY(read_count(yaml, err));
    TRY(read_names(yaml, err));
    TRY(read_key_points(yaml, err));
    TRY(find_parts(yaml, tells, err));
    if (tells) {
        tell_unknown(yaml);
    }
    return OK;
}

void data_yaml_free(struct data_yaml *yaml)
{
    yaml_tree_free(yaml->root);
    mem_free(yaml->path);
    mem_free(yaml->names);
    *yaml = (struct data_yaml){0};
}

/* ---- paths ---- */

/* Without "./" in front; "." is nothing. */
static const char *plain(const char *path)
{
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    return strcmp(path, ".") == 0 ? "" : path;
}

/* The set's folder: `path`, or where the file lies. */
static enum result find_root(const struct data_yaml *yaml, char *root, struct error *err)
{
    const struct yaml_node *node = find(yaml, "path");
    if (node && (node->kind != YAML_TEXT || !node->text[0])) {
        return fault(yaml, node, err, "a folder is expected");
    }
    const char *named = node ? plain(node->text) : "";
    if (named[0] && path_beside(root, PATH_SIZE, yaml->path, named) && path_is_dir(root)) {
        return OK;
    }
    if (named[0] && path_join(root, PATH_SIZE, "", named) && path_is_dir(root)) {
        return OK;
    }
    snprintf(root, PATH_SIZE, "%.*s", (int)(path_base(yaml->path) - yaml->path), yaml->path);
    return OK;
}

/* Does a path lead out of the folder that it counts from? */
static bool leads_out(const char *path)
{
    int depth = 0;
    for (const char *at = path; *at && depth >= 0;) {
        size_t length = strcspn(at, "/");
        bool is_up = length == 2 && strncmp(at, "..", 2) == 0;
        bool stays = length == 0 || (length == 1 && at[0] == '.');
        depth += is_up ? -1 : stays ? 0 : 1;
        at += length + (at[length] == '/');
    }
    return depth < 0;
}

/* Where an entry may lie: in the set's folder; where nothing says which that is, also in the working directory. */
static bool find_place(const char *root, const char *inner, bool also_here, char *out, char *tried,
                       size_t size)
{
    if (path_join(out, PATH_SIZE, root, inner[0] ? inner : ".")) {
        snprintf(tried, size, "%s", out);
        if (path_exists(out)) {
            return true;
        }
    }
    if (!also_here || inner[0] == '/' || !root[0] || !path_join(out, PATH_SIZE, "", inner)) {
        return false;
    }
    size_t used = strlen(tried);
    snprintf(tried + used, size - used, "%s%s", used ? ", " : "", out);
    return path_exists(out);
}

size_t data_yaml_count(const struct data_yaml *yaml, enum data_part part)
{
    const struct yaml_node *node = yaml->parts[part];
    return !node ? 0 : node->kind == YAML_TEXT ? 1 : node->count;
}

enum result data_yaml_path(const struct data_yaml *yaml, enum data_part part, size_t index,
                           char *out, struct error *err)
{
    const struct yaml_node *node = yaml->parts[part], *entry = node;
    char root[PATH_SIZE], tried[sizeof err->text] = "";
    if (node->kind == YAML_LIST) {
        for (entry = node->first; index > 0; index--) {
            entry = entry->next;
        }
    }
    TRY(find_root(yaml, root, err));
    const char *inner = plain(entry->text);
    bool is_outside = inner[0] != '/' && leads_out(inner);
    while (is_outside &&
           strncmp(inner, "../", 3) == 0) { /* Roboflow's, which means the file's folder */
        inner += 3;
    }
    bool also_here = !is_outside && !find(yaml, "path");
    if ((!is_outside || (inner[0] && inner[0] != '/' && !leads_out(inner))) &&
        find_place(root, inner, also_here, out, tried, sizeof tried)) {
        return OK;
    }
    if (is_outside) {
        error_at(err, ERR_FORMAT, yaml->path, entry->line,
                 "%s: %.300s leads out of the data set's folder", node->key, entry->text);
        return error_hint(err, "path: FOLDER says where that is");
    }
    return error_at(err, ERR_FORMAT, yaml->path, entry->line, "%s: no such file (tried %s)",
                    node->key, tried);
}
