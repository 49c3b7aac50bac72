/* Label files without a picture. Looked for where labels have a folder of their own: beside the
 * pictures a .txt may be anything. A label is an orphan if no file of the pictures' folder has its
 * name but for the ending. */
#include "data/dataset_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/listing.h"
#include "base/path.h"
#include "base/memory.h"

enum { PATH_SIZE = 4096, FOLDERS_MAX = 256 };

struct folder_pair {
    char images[PATH_SIZE], labels[PATH_SIZE];
};

static int by_name(const void *a, const void *b)
{
    const struct listing_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* The names of a folder's files without their endings, sorted; only those that end in `ending` if it is given. */
static enum result list_stems(const char *folder, const char *ending, struct listing *stems,
                              struct error *err)
{
    TRY(listing_read(folder, stems, err));
    size_t count = stems->count;
    stems->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct listing_entry entry = stems->entries[i];
        size_t length = path_stem_length(entry.name);
        if (!entry.name[length] || (ending && strcmp(entry.name + length, ending) != 0)) {
            mem_free(entry.name);
            continue;
        }
        entry.name[length] = 0;
        stems->entries[stems->count++] = entry;
    }
    if (stems->count > 1) { /* b-c.jpg is in front of b.jpg, b in front of b-c */
        qsort(stems->entries, stems->count, sizeof *stems->entries, by_name);
    }
    return OK;
}

static enum result check_pair(struct dataset_build *build, const struct folder_pair *pair,
                              struct error *err)
{
    struct listing images = {0};
    struct listing labels = {0};
    enum result result = list_stems(pair->images, NULL, &images, err);
    result = result == OK ? list_stems(pair->labels, ".txt", &labels, err) : result;
    for (size_t i = 0; result == OK && i < labels.count; i++) {
        const struct listing_entry *label = &labels.entries[i];
        char path[PATH_SIZE + 300];
        if ((images.count > 0 &&
             bsearch(label, images.entries, images.count, sizeof *label, by_name)) ||
            strcmp(label->name, "classes") == 0 ||
            !path_join(path, sizeof path, pair->labels, label->name)) {
            continue;
        }
        strcat(path, ".txt");
        dataset_fault(build, FAULT_ORPHAN_LABEL, path, 0, "no picture of this name in %s",
                      pair->images);
    }
    listing_free(&images);
    listing_free(&labels);
    return result == ERR_IO ? OK : result; /* of a folder that cannot be listed nothing is known */
}

/* The folder part, "." for none; false if it does not fit. */
static bool folder_of(const char *path, char *out)
{
    size_t length = (size_t)(path_base(path) - path);
    if (length >= PATH_SIZE) {
        return false;
    }
    memcpy(out, path, length);
    out[length > 1 ? length - 1 : length] = 0;
    if (length == 0) {
        strcpy(out, ".");
    }
    return true;
}

enum result dataset_find_orphans(struct dataset_build *build, struct error *err)
{
    struct folder_pair *pairs = mem_alloc(FOLDERS_MAX, sizeof *pairs);
    if (!pairs) {
        return mem_error(err, "data set");
    }
    enum result result = OK;
    size_t count = 0;
    for (size_t i = 0; i < build->set->sample_count && count < FOLDERS_MAX && result == OK; i++) {
        const struct sample *sample = &build->set->samples[i];
        struct folder_pair *pair = &pairs[count];
        if (!sample->label_path || !folder_of(sample->image_path, pair->images) ||
            !folder_of(sample->label_path, pair->labels) ||
            strcmp(pair->images, pair->labels) == 0) {
            continue;
        }
        bool known = false;
        for (size_t k = count; k > 0 && !known; k--) {
            known = strcmp(pairs[k - 1].labels, pair->labels) == 0;
        }
        if (!known) {
            count++;
            result = check_pair(build, pair, err);
        }
    }
    mem_free(pairs);
    return result;
}
