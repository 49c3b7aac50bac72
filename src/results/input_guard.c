#include "results/input_guard.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fileio.h"
#include "base/path.h"
#include "data/inputs.h"
#include "data/label_path.h"

enum { KEY_BYTES = 48, PATH_BYTES = 4096 };

/* What a file is called whatever its path. */
static bool file_key(const char *path, char key[KEY_BYTES])
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return false;
    }
    snprintf(key, KEY_BYTES, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    return true;
}

static enum result add(struct input_guard *guard, const char *path, struct error *err)
{
    char key[KEY_BYTES], unused[KEY_BYTES];
    if (!file_key(path, key) || name_set_has(&guard->files, key)) {
        return OK;
    }
    return name_set_add(&guard->files, key, unused, sizeof unused, err);
}

/* What cannot be walked now fails again, and is reported, when it is read. */
static enum result walk(struct input_guard *guard, const char *arg, const char *out,
                        bool leaves_out, struct error *err)
{
    struct inputs *inputs;
    struct input_item item;
    TRY(inputs_open(&arg, 1, &inputs, err));
    enum result result = OK;
    for (int status; result == OK && (status = inputs_next(inputs, &item, err)) != 0;) {
        bool is_own = leaves_out && !item.origin[0];
        if (status > 0 && !is_own && is_inside(item.path, out)) {
            result = add(guard, item.path, err);
        }
    }
    inputs_close(inputs);
    return result;
}

enum result input_guard_fill(struct input_guard *guard, const char *const *args, size_t count,
                             const char *out, bool leaves_out, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(args[i], "-") != 0) {
            TRY(walk(guard, args[i], out, leaves_out, err));
        }
    }
    return OK;
}

bool input_guard_holds(const struct input_guard *guard, const char *path, const char *input)
{
    char key[KEY_BYTES];
    return is_same_file(path, input) || (file_key(path, key) && name_set_has(&guard->files, key));
}

bool is_label_of(const char *path, const char *input)
{
    char label[PATH_BYTES];
    for (int i = 0; i < LABEL_PATHS; i++) {
        if (label_path_candidate(input, i, label, sizeof label) && is_same_file(path, label)) {
            return true;
        }
    }
    int length = snprintf(label, sizeof label, "%.*s.xml", (int)path_stem_length(input), input);
    return length >= 0 && (size_t)length < sizeof label && is_same_file(path, label);
}
