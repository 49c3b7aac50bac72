#include "data/label_path.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"

enum { PATH_SIZE = 4096 };

static char *find(char *path, const char *part, bool last)
{
    char *found = strstr(path, part);
    while (found && last) {
        char *next = strstr(found + 1, part);
        if (!next) {
            break;
        }
        found = next;
    }
    return found;
}

/* Replace the first or last `from` in the path; as it is if there is none or no room. */
static void replace(char *path, const char *from, const char *to, bool last)
{
    char *found = find(path, from, last);
    size_t old_length = strlen(from);
    size_t new_length = strlen(to);
    if (!found || strlen(path) - old_length + new_length >= PATH_SIZE) {
        return;
    }
    memmove(found + new_length, found + old_length, strlen(found + old_length) + 1);
    memcpy(found, to, new_length);
}

static bool set_extension(char *path, const char *extension)
{
    path[path_stem_length(path)] = 0;
    if (strlen(path) + strlen(extension) >= PATH_SIZE) {
        return false;
    }
    strcat(path, extension);
    return true;
}

static bool make_candidate(const char *image, int which, char *path)
{
    static const char *const darknet[][2] = {
        {"/images/train2017/", "/labels/train2017/"},
        {"/images/val2017/", "/labels/val2017/"},
        {"/JPEGImages/", "/labels/"},
        {"/images/train2014/", "/labels/train2014/"},
        {"/images/val2014/", "/labels/val2014/"},
    };
    /* A slash in front, so that a leading images/ is a folder like any other. */
    int length = snprintf(path, PATH_SIZE, "/%s", image);
    if (length < 0 || length >= PATH_SIZE) {
        return false;
    }
    if (which == 1) {
        replace(path, "/images/", "/labels/", true);
    }
    for (size_t i = 0; which == 2 && i < sizeof darknet / sizeof darknet[0]; i++) {
        replace(path, darknet[i][0], darknet[i][1], false);
    }
    return set_extension(path, ".txt");
}

bool label_path_candidate(const char *image, int which, char *out, size_t size)
{
    char path[PATH_SIZE];
    char previous[PATH_SIZE];
    if (!make_candidate(image, which, path)) {
        return false;
    }
    for (int i = 0; i < which; i++) {
        if (make_candidate(image, i, previous) && strcmp(previous, path) == 0) {
            return false;
        }
    }
    int length = snprintf(out, size, "%s", path + 1);
    return length >= 0 && (size_t)length < size;
}

bool label_path_find(const char *image, char *out, size_t size)
{
    for (int i = 0; i < LABEL_PATHS; i++) {
        if (label_path_candidate(image, i, out, size) && path_exists(out)) {
            return true;
        }
    }
    return false;
}

bool label_path_voc(const char *image, char *folder, size_t size)
{
    static const char *const places[][2] = {{"", ""},
                                            {"/images/", "/annotations/"},
                                            {"/images/", "/Annotations/"},
                                            {"/JPEGImages/", "/Annotations/"}};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int length = snprintf(path, sizeof path, "/%s", image);
        if (length < 0 || length >= PATH_SIZE) {
            return false;
        }
        if (i > 0) {
            replace(path, places[i][0], places[i][1], true);
        }
        if (set_extension(path, ".xml") && path_exists(path + 1)) {
            int folder_length = (int)(path_base(path) - path) - 2; /* without slashes at its ends */
            length = folder_length > 0
                         ? snprintf(folder, size, "%.*s", folder_length, path + 1)
                         : snprintf(folder, size, "%s", folder_length < 0 ? "." : "/");
            return length >= 0 && (size_t)length < size;
        }
    }
    return false;
}

/* How many "_" follow in a part of a path that is "images" but for them; -1: another part. */
static int images_tail(const char *part, size_t length)
{
    size_t stem = strlen("images");
    bool is_images =
        strncmp(part, "images", stem) == 0 && stem + strspn(part + stem, "_") == length;
    return is_images ? (int)(length - stem) : -1;
}

/* The name with its parts "images__..." `change` = 1 longer or -1 shorter, at least "images". */
static bool shift_images(const char *name, int change, char *out, size_t size)
{
    size_t used = 0;
    for (const char *at = name;; at++) {
        size_t length = strcspn(at, "/");
        int tail = images_tail(at, length);
        size_t kept = tail > 0 && change < 0 ? length - 1 : length;
        const char *more = tail >= 0 && change > 0 ? "_" : "";
        int written =
            snprintf(out + used, size - used, "%.*s%s%.1s", (int)kept, at, more, at + length);
        if (written < 0 || (size_t)written >= size - used) {
            return false;
        }
        used += (size_t)written;
        at += length;
        if (!*at) {
            return true;
        }
    }
}

bool label_path_nest(const char *name, char *out, size_t size)
{
    return shift_images(name, 1, out, size);
}

bool label_path_unnest(const char *nested, char *out, size_t size)
{
    return shift_images(nested, -1, out, size);
}
