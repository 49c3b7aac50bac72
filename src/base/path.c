#include "base/path.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

size_t path_stem_length(const char *path)
{
    const char *base = path_base(path);
    const char *dot = strrchr(base, '.');
    return dot && dot != base ? (size_t)(dot - path) : strlen(path);
}

bool path_ends_in(const char *path, const char *ending)
{
    return strcasecmp(path + path_stem_length(path), ending) == 0;
}

void path_stem(const char *path, char *out, size_t size)
{
    const char *base = path_base(path);
    size_t length = path_stem_length(base);
    snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), base);
}

bool path_join(char *out, size_t size, const char *dir, const char *name)
{
    size_t length = strlen(dir);
    int written;
    if (length == 0 || name[0] == '/') {
        written = snprintf(out, size, "%s", name);
    } else {
        written = snprintf(out, size, "%s%s%s", dir, dir[length - 1] == '/' ? "" : "/", name);
    }
    return written >= 0 && (size_t)written < size;
}

enum result path_in(char *out, size_t size, const char *dir, const char *name, struct error *err)
{
    return path_join(out, size, dir, name) ? OK : error_at(err, ERR_IO, dir, 0, "path too long");
}

bool path_beside(char *out, size_t size, const char *path, const char *name)
{
    size_t folder = (size_t)(path_base(path) - path);
    if (name[0] == '/') {
        folder = 0;
    }
    int written = snprintf(out, size, "%.*s%s", (int)folder, path, name);
    return written >= 0 && (size_t)written < size;
}
