#include "base/path.h"

#include <stdio.h>
#include <string.h>
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

bool path_beside(char *out, size_t size, const char *path, const char *name)
{
    size_t folder = (size_t)(path_base(path) - path);
    if (name[0] == '/') {
        folder = 0;
    }
    int written = snprintf(out, size, "%.*s%s", (int)folder, path, name);
    return written >= 0 && (size_t)written < size;
}
