/* The stream is a small stack machine: arguments give lists, patterns or folders; a pattern's
 * matches give lists or folders; folders give folders. inputs_next asks the innermost one that is
 * open. */
#include "data/inputs.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/memory.h"
#include "base/listing.h"
#include "base/lookup.h"
#include "base/sniff.h"
#include "base/text.h"

enum {
    PATH_SIZE = sizeof((struct input_item *)0)->path,
    LINE_HOPELESS = 1024 * 1024, /* a line this long: no list of paths */
    UNUSABLE_MAX = 10            /* unusable lines until the list is given up */
};

static const char stdin_name[] = "stdin"; /* in messages */

/* One folder being walked. */
struct level {
    struct listing listing;
    size_t next;
    size_t path_length; /* of inputs.folder up to this folder */
    dev_t device;       /* who it is: an ancestor met again is a loop of links */
    ino_t inode;
};

struct inputs {
    char **args;
    size_t count, next;

    FILE *list; /* NULL = none open */
    FILE *kept; /* what stdin held, or NULL */
    char list_path[PATH_SIZE];
    int line, unusable;
    bool has_found; /* one of the list's paths exists */

    glob_t glob;
    bool glob_open, glob_lists;
    size_t glob_next;

    struct level *levels;
    size_t depth, capacity;
    char folder[PATH_SIZE];
    size_t relative_from; /* folder + this = path below the folder that was named */
};

static bool has_ending(const char *path, const char *const *endings)
{
    const char *dot = strrchr(path_base(path), '.');
    for (size_t i = 0; dot && endings[i]; i++) {
        if (strcasecmp(dot + 1, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_list_name(const char *path)
{
    static const char *const endings[] = {"txt", NULL};
    return has_ending(path, endings);
}

/* WebP and TIFF cannot be read, but are pictures: left out silently they would be missed. */
static bool is_picture_name(const char *path)
{
    static const char *const endings[] = {"jpg", "jpeg", "jpe",  "jfif", "png", "bmp",
                                          "gif", "tga",  "psd",  "pnm",  "ppm", "pgm",
                                          "tif", "tiff", "webp", NULL};
    return has_ending(path, endings);
}

static int deliver(struct input_item *item, const char *path, const char *relative,
                   struct error *err)
{
    item->origin[0] = 0;
    if (strlen(path) >= sizeof item->path) {
        error_at(err, ERR_IO, path, 0, "path too long");
        return -1;
    }
    strcpy(item->path, path);
    strcpy(item->relative, relative);
    return 1;
}

/* ---- folders ---- */

static bool is_ancestor(const struct inputs *in, const struct stat *info)
{
    for (size_t i = 0; i < in->depth; i++) {
        if (in->levels[i].device == info->st_dev && in->levels[i].inode == info->st_ino) {
            return true;
        }
    }
    return false;
}

/* Go down into in->folder. 0, or -1 with the error. */
static int push_folder(struct inputs *in, struct error *err)
{
    struct stat info;
    if (stat(in->folder, &info) != 0) {
        error_errno(err, in->folder, "cannot open the folder");
        return -1;
    }
    if (is_ancestor(in, &info)) {
        return 0;
    }
    struct level level = {
        .path_length = strlen(in->folder), .device = info.st_dev, .inode = info.st_ino};
    if (mem_grow((void **)&in->levels, in->depth, &in->capacity, sizeof *in->levels, err) != OK ||
        listing_read(in->folder, &level.listing, err) != OK) {
        listing_free(&level.listing);
        return -1;
    }
    in->levels[in->depth++] = level;
    return 0;
}

static int open_folder(struct inputs *in, const char *path, struct error *err)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    if (length >= sizeof in->folder) {
        error_at(err, ERR_IO, path, 0, "path too long");
        return -1;
    }
    memcpy(in->folder, path, length);
    in->folder[length] = 0;
    in->relative_from = in->folder[length - 1] == '/' ? length : length + 1;
    return push_folder(in, err);
}

static int next_in_folder(struct inputs *in, struct input_item *item, struct error *err)
{
    struct level *level = &in->levels[in->depth - 1];
    in->folder[level->path_length] = 0;
    if (level->next == level->listing.count) {
        listing_free(&level->listing);
        in->depth--;
        return 0;
    }
    const struct listing_entry *entry = &level->listing.entries[level->next++];
    char path[PATH_SIZE];
    if (entry->name[0] == '.' || (!entry->is_dir && !is_picture_name(entry->name))) {
        return 0;
    }
    if (!path_join(path, sizeof path, in->folder, entry->name)) {
        error_at(err, ERR_IO, in->folder, 0, "path of %.100s in this folder is too long",
                 entry->name);
        return -1;
    }
    if (!entry->is_dir) {
        return deliver(item, path, path + in->relative_from, err);
    }
    strcpy(in->folder, path);
    return push_folder(in, err);
}

/* ---- lists ---- */

static bool is_stdin(const struct inputs *in)
{
    return in->list == stdin || (in->kept && in->list == in->kept);
}

static void close_list(struct inputs *in)
{
    if (in->list && !is_stdin(in)) {
        fclose(in->list);
    }
    in->list = NULL;
}

static int open_list(struct inputs *in, const char *path, FILE *stream, struct error *err)
{
    if (strlen(path) >= sizeof in->list_path) {
        error_at(err, ERR_IO, path, 0, "path too long");
        return -1;
    }
    strcpy(in->list_path, path);
    in->line = 0;
    in->unusable = 0;
    in->has_found = false;
    in->list = stream ? stream : fopen(path, "rb");
    if (!in->list) {
        error_errno(err, path, "cannot open the list");
        return -1;
    }
    return 0;
}

enum line { LINE_END, LINE_OK, LINE_LONG, LINE_BINARY, LINE_GIVE_UP };

/* The next line without its end, of any length: what does not fit is read and dropped. *bytes: how
 * many were kept. */
static enum line read_line(FILE *f, char *line, size_t size, size_t *bytes)
{
    size_t length = 0;
    bool binary = false;
    int c;
    while ((c = getc(f)) != EOF && c != '\n') {
        if (length + 1 < size) {
            line[length] = (char)c;
        }
        length++;
        binary = binary || (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
        if (length > LINE_HOPELESS) {
            return LINE_GIVE_UP;
        }
    }
    if (c == EOF && length == 0) {
        return LINE_END;
    }
    *bytes = length < size ? length : size - 1;
    line[*bytes] = 0;
    if (binary) {
        return LINE_BINARY;
    }
    if (length >= size) {
        return LINE_LONG;
    }
    if (length > 0 && line[length - 1] == '\r') {
        line[length - 1] = 0;
    }
    return LINE_OK;
}

/* The path of a line; *is_there: something is at it. Blanks around it are part of it if it exists
 * so, else an accident. */
static const char *find_path(const struct inputs *in, char *line, char *found, bool *is_there)
{
    const char *list = is_stdin(in) ? NULL : in->list_path;
    size_t length = strlen(line);
    size_t blanks = strspn(line, " \t");
    *is_there = lookup_find(list, line, LOOKUP_HERE, found, PATH_SIZE);
    if (*is_there || (blanks == 0 && !strchr(" \t", line[length - 1]))) {
        return *is_there ? found : line;
    }
    while (length > 0 && strchr(" \t", line[length - 1])) {
        line[--length] = 0;
    }
    line += blanks;
    *is_there = lookup_find(list, line, LOOKUP_HERE, found, PATH_SIZE);
    return *is_there ? found : line;
}

static int not_a_list(struct inputs *in, const char *what, struct error *err)
{
    error_at(err, ERR_FORMAT, in->list_path, in->line, "no list of pictures: %s", what);
    close_list(in);
    return -1;
}

static int unusable_line(struct inputs *in, enum line kind, struct error *err)
{
    in->unusable++;
    if (kind == LINE_GIVE_UP || in->unusable >= UNUSABLE_MAX) {
        error_at(err, ERR_FORMAT, in->list_path, in->line,
                 "not a list of pictures; its rest is skipped (one path per line is expected)");
        close_list(in);
    } else if (kind == LINE_LONG) {
        error_at(err, ERR_FORMAT, in->list_path, in->line, "a line of over %d bytes is no path",
                 PATH_SIZE - 1);
    } else {
        error_at(err, ERR_FORMAT, in->list_path, in->line, "control characters in a path");
    }
    return -1;
}

static int next_in_list(struct inputs *in, struct input_item *item, struct error *err)
{
    char line[PATH_SIZE];
    size_t bytes = 0;
    enum line kind = read_line(in->list, line, sizeof line, &bytes);
    if (kind == LINE_END) {
        bool failed = ferror(in->list) && errno != EINTR;
        if (failed) {
            error_errno(err, in->list_path, "cannot read the list");
        }
        close_list(in);
        return failed ? -1 : 0;
    }
    in->line++;
    const char *other = kind == LINE_BINARY && in->line == 1 ? sniff_wide(line, bytes) : NULL;
    if (other) {
        return not_a_list(in, other, err);
    }
    if (kind != LINE_OK) {
        return unusable_line(in, kind, err);
    }
    char *text = line + (in->line == 1 ? text_mark(line, bytes) : 0);
    if (text[strspn(text, " \t")] == 0) {
        return 0;
    }
    char found[PATH_SIZE];
    bool is_there;
    const char *path = find_path(in, text, found, &is_there);
    in->has_found = in->has_found || is_there;
    other = in->has_found ? NULL : sniff_structured(text);
    other = other || is_there ? other : sniff_boxed_path(text);
    if (other) {
        return not_a_list(in, other, err);
    }
    int result = deliver(item, path, path_base(path), err);
    snprintf(item->origin, sizeof item->origin, "%s:%d", in->list_path, in->line);
    return result;
}

/* ---- arguments and patterns ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Matches of "photos/ *" include label files: a .txt is a list only if the pattern says .txt. */
static int open_glob(struct inputs *in, const char *pattern, struct error *err)
{
    int status = glob(pattern, GLOB_NOSORT, NULL, &in->glob);
    if (status == GLOB_NOSPACE) {
        globfree(&in->glob);
        mem_error(err, pattern);
        return -1;
    }
    if (in->glob.gl_pathc > 1) {
        qsort(in->glob.gl_pathv, in->glob.gl_pathc, sizeof *in->glob.gl_pathv, by_text);
    }
    in->glob_open = true;
    in->glob_lists = is_list_name(pattern);
    in->glob_next = 0;
    return 0;
}

static int next_in_glob(struct inputs *in, struct input_item *item, struct error *err)
{
    if (in->glob_next == in->glob.gl_pathc) {
        globfree(&in->glob);
        in->glob_open = false;
        return 0;
    }
    const char *path = in->glob.gl_pathv[in->glob_next++];
    if (path_is_dir(path)) {
        return open_folder(in, path, err);
    }
    if (is_list_name(path)) {
        return in->glob_lists ? open_list(in, path, NULL, err) : 0;
    }
    return deliver(item, path, path_base(path), err);
}

static int next_argument(struct inputs *in, struct input_item *item, struct error *err)
{
    const char *arg = in->args[in->next++];
    if (strcmp(arg, "-") == 0) {
        return open_list(in, stdin_name, in->kept ? in->kept : stdin, err);
    }
    if (path_is_dir(arg)) {
        return open_folder(in, arg, err);
    }
    if (!path_exists(arg)) {
        if (strpbrk(arg, "*?[")) {
            int result = open_glob(in, arg, err);
            if (result != 0 || in->glob.gl_pathc > 0) {
                return result;
            }
            globfree(&in->glob);
            in->glob_open = false;
        }
        return deliver(item, arg, path_base(arg), err);
    }
    if (is_list_name(arg)) {
        return open_list(in, arg, NULL, err);
    }
    return deliver(item, arg, path_base(arg), err);
}

enum result inputs_open(const char *const *args, size_t count, struct inputs **inputs,
                        struct error *err)
{
    *inputs = NULL;
    if (count == 0) {
        return error_set(err, ERR_ARG, "no pictures named (a file, a folder, a list or -)");
    }
    struct inputs *in = mem_alloc(1, sizeof *in);
    if (!in) {
        return mem_error(err, "inputs");
    }
    in->args = mem_alloc(count, sizeof *in->args);
    if (!in->args) {
        inputs_close(in);
        return mem_error(err, "inputs");
    }
    for (; in->count < count; in->count++) {
        in->args[in->count] = mem_strdup(args[in->count]);
        if (!in->args[in->count]) {
            inputs_close(in);
            return mem_error(err, "inputs");
        }
    }
    *inputs = in;
    return OK;
}

enum result inputs_open_list(const char *path, struct inputs **inputs, struct error *err)
{
    TRY(inputs_open(&path, 1, inputs, err));
    struct inputs *in = *inputs;
    in->next = in->count;
    if (open_list(in, path, NULL, err) != 0) {
        inputs_close(in);
        *inputs = NULL;
        return ERR_IO;
    }
    return OK;
}

static bool is_list_pipe(const char *path)
{
    struct stat info;
    return is_list_name(path) && stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
           !S_ISDIR(info.st_mode);
}

static bool matches_pipe(const char *pattern)
{
    glob_t found;
    bool has_pipe = false;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !has_pipe; i++) {
            has_pipe = is_list_pipe(found.gl_pathv[i]);
        }
        globfree(&found);
    }
    return has_pipe;
}

const char *inputs_once(const struct inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        const char *arg = in->args[i];
        bool is_stdin = strcmp(arg, "-") == 0;
        bool is_pattern = !is_stdin && !path_exists(arg) && strpbrk(arg, "*?[");
        if (is_stdin ? !in->kept : is_pattern ? matches_pipe(arg) : is_list_pipe(arg)) {
            return arg;
        }
    }
    return NULL;
}

int inputs_next(struct inputs *in, struct input_item *item, struct error *err)
{
    int result = 0;
    while (result == 0) {
        if (in->depth > 0) {
            result = next_in_folder(in, item, err);
        } else if (in->list) {
            result = next_in_list(in, item, err);
        } else if (in->glob_open) {
            result = next_in_glob(in, item, err);
        } else if (in->next < in->count) {
            result = next_argument(in, item, err);
        } else {
            break;
        }
    }
    return result;
}

enum result inputs_need(const struct input_item *item, struct error *err)
{
    char list[PATH_SIZE], tried[sizeof err->text] = "";
    if (path_exists(item->path)) {
        return OK;
    }
    const char *colon = strrchr(item->origin, ':');
    int length = colon ? (int)(colon - item->origin) : 0;
    snprintf(list, sizeof list, "%.*s", length, item->origin);
    bool is_stdin = strcmp(list, stdin_name) == 0;
    bool has_places = colon && lookup_tried(is_stdin ? NULL : list, item->path, LOOKUP_HERE, tried,
                                            sizeof tried) > 1;
    return error_set(err, ERR_IO, "%s does not exist%s%s%s", item->path,
                     has_places ? " (tried " : "", has_places ? tried : "", has_places ? ")" : "");
}

enum result inputs_keep_stdin(struct inputs *in, struct error *err)
{
    bool is_named = false;
    for (size_t i = 0; i < in->count; i++) {
        is_named = is_named || strcmp(in->args[i], "-") == 0;
    }
    if (!is_named || in->kept) {
        return OK;
    }
    in->kept = tmpfile();
    if (!in->kept) {
        return error_errno(err, stdin_name, "cannot keep its paths in a temporary file");
    }
    char block[1 << 14];
    for (size_t bytes; (bytes = fread(block, 1, sizeof block, stdin)) > 0;) {
        fwrite(block, 1, bytes, in->kept);
    }
    if (ferror(stdin) && errno != EINTR) {
        return error_errno(err, stdin_name, "cannot read the list");
    }
    if (fflush(in->kept) != 0 || ferror(in->kept)) {
        return error_errno(err, stdin_name, "cannot keep its paths in a temporary file");
    }
    rewind(in->kept);
    return OK;
}

/* Whatever is open is left. */
static void leave_all(struct inputs *in)
{
    while (in->depth > 0) {
        listing_free(&in->levels[--in->depth].listing);
    }
    if (in->glob_open) {
        globfree(&in->glob);
        in->glob_open = false;
    }
    close_list(in);
}

void inputs_rewind(struct inputs *in)
{
    leave_all(in);
    in->next = 0;
    if (in->kept) {
        rewind(in->kept);
    }
}

void inputs_close(struct inputs *in)
{
    if (!in) {
        return;
    }
    leave_all(in);
    mem_free(in->levels);
    if (in->kept) {
        fclose(in->kept);
    }
    for (size_t i = 0; i < in->count; i++) {
        mem_free(in->args[i]);
    }
    mem_free(in->args);
    mem_free(in);
}
