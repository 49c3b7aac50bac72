#include "base/lookup.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"

enum { PATH_SIZE = 4096 };

static const char data_folder[] = "data/";

/* `path` in the file's folder, or with `up` in the folder's parent. */
static bool in_folder(const char *file, const char *up, const char *path, char *out, size_t size)
{
    int folder = file ? (int)(path_base(file) - file) : 0;
    int written = snprintf(out, size, "%.*s%s%s", folder, file ? file : "", up, path);
    return written >= 0 && (size_t)written < size;
}

static bool make_place(const char *file, const char *path, enum lookup_first first, int which,
                       char *out, size_t size)
{
    if (path[0] == '/') {
        return which == 0 && in_folder(NULL, "", path, out, size);
    }
    if (which < 2) {
        return in_folder((which == 0) == (first == LOOKUP_BESIDE) ? file : NULL, "", path, out,
                         size);
    }
    path += strncmp(path, "./", 2) == 0 ? 2 : 0;
    if (strncmp(path, data_folder, strlen(data_folder)) != 0) {
        return false;
    }
    const char *inner = path + strlen(data_folder);
    inner += strspn(inner, "/");
    if (which == 2) {
        return file && in_folder(file, "../", path, out, size);
    }
    return inner[0] && make_place(file, inner, first, which - 3, out, size);
}

bool lookup_place(const char *file, const char *path, enum lookup_first first, int which, char *out,
                  size_t size)
{
    char earlier[PATH_SIZE];
    if (!make_place(file, path, first, which, out, size)) {
        return false;
    }
    for (int i = 0; i < which; i++) {
        if (make_place(file, path, first, i, earlier, sizeof earlier) &&
            strcmp(earlier, out) == 0) {
            return false;
        }
    }
    return true;
}

bool lookup_find(const char *file, const char *path, enum lookup_first first, char *out,
                 size_t size)
{
    for (int i = 0; i < LOOKUP_PLACES; i++) {
        if (lookup_place(file, path, first, i, out, size) && path_exists(out)) {
            return true;
        }
    }
    return false;
}

int lookup_tried(const char *file, const char *path, enum lookup_first first, char *text,
                 size_t size)
{
    char place[PATH_SIZE];
    int count = 0;
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < LOOKUP_PLACES; i++) {
        if (lookup_place(file, path, first, i, place, sizeof place)) {
            int written = snprintf(text + used, size - used, "%s%s", count++ ? ", " : "", place);
            used =
                written < 0 || (size_t)written >= size - used ? size - 1 : used + (size_t)written;
        }
    }
    return count;
}
