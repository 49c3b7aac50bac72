#include "data/coco_root.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"

enum { PATH_BYTES = 4096, SPLIT_BYTES = 256, LOOKED_AT = 100 };

void coco_split_name(const char *path, char *out)
{
    char folder[PATH_BYTES];
    const char *base = path_base(path);
    const char *prefix = "instances_";
    size_t length = strlen(base) > 5 ? strlen(base) - 5 : strlen(base); /* .json */
    if (strncmp(base, "_annotations", 12) == 0 || strncmp(base, "annotations.", 12) == 0) {
        snprintf(folder, sizeof folder, "%.*s", (int)(base > path ? base - path - 1 : 0), path);
        const char *parent = path_base(folder);
        snprintf(out, SPLIT_BYTES, "%.200s", *parent && *parent != '.' ? parent : "train");
        return;
    }
    if (strncmp(base, prefix, strlen(prefix)) == 0 && length > strlen(prefix)) {
        base += strlen(prefix);
        length -= strlen(prefix);
    }
    snprintf(out, SPLIT_BYTES, "%.*s", (int)(length < 200 ? length : 200), base);
}

static bool holds(const char *folder, const struct coco_picture *picture)
{
    char path[PATH_BYTES];
    return picture->file_name && path_join(path, sizeof path, folder, picture->file_name) &&
           path_exists(path);
}

void coco_root_find(const struct coco_file *file, const char *path, const char *images, char *out)
{
    char split[SPLIT_BYTES], inner[SPLIT_BYTES + 32];
    static const char *const forms[] = {"", "%s", "images", "images/%s", "data"};
    enum { FORMS = sizeof forms / sizeof forms[0] };
    coco_split_name(path, split);
    for (int i = 0; !images && i < 2 * FORMS; i++) {
        const char *form = forms[i % FORMS];
        const char *slash = strchr(form, '%');
        snprintf(inner, sizeof inner, "%s%.*s%s", i < FORMS ? "" : "../",
                 slash ? (int)(slash - form) : (int)strlen(form), form, slash ? split : "");
        if (!path_beside(out, PATH_BYTES, path, inner)) {
            continue;
        }
        for (size_t k = 0; k < file->picture_count && k < LOOKED_AT; k++) {
            if (holds(out, &file->pictures[k])) {
                return;
            }
        }
    }
    int length = images ? (int)strlen(images) : (int)(path_base(path) - path);
    snprintf(out, PATH_BYTES, "%.*s", length, images ? images : path);
}
