#include "doctor/fix.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "cfg/data_file.h"
#include "base/listing.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/label_line.h"
#include "doctor/near.h"

enum { PATH_SIZE = 4096, NAME_TRIES = 100000 };

struct fix {
    const struct doctor *doctor;
    const struct doctor_set *set;
    char root[PATH_SIZE];
    char images[PATH_SIZE], labels[PATH_SIZE]; /* of the set */
    struct atomic_file list;
    struct fix_counts *counts;
};

static enum result make_root(struct fix *fix, const char *out, struct error *err)
{
    TRY(listing_need_empty(out, "--fix writes to a new folder only", err));
    TRY(dir_make(out, err));
    char absolute[PATH_MAX];
    if (!realpath(out, absolute) || strlen(absolute) >= sizeof fix->root) {
        return error_errno(err, out, "no absolute path");
    }
    strcpy(fix->root, absolute);
    return OK;
}

/* ---- one sample ---- */

/* A name that neither a picture nor a label of the set has yet: a.jpg, a_2.jpg... Lists hold no
 * control characters, so it has none. */
static enum result choose_name(const struct fix *fix, const char *image, char *picture, char *label,
                               struct error *err)
{
    char base[PATH_SIZE];
    snprintf(base, sizeof base, "%s", path_base(image));
    for (char *c = text_fits_list(base) ? NULL : text_mask(base); c && *c; c++) {
        *c = *c == '?' ? '_' : *c;
    }
    int stem = (int)path_stem_length(base);
    for (int i = 1; i < NAME_TRIES; i++) {
        char number[16] = "", name[PATH_SIZE + 32];
        if (i > 1) {
            snprintf(number, sizeof number, "_%d", i);
        }
        snprintf(name, sizeof name, "%.*s%s%s", stem, base, number, base + stem);
        TRY(path_in(picture, PATH_SIZE, fix->images, name, err));
        snprintf(name, sizeof name, "%.*s%s.txt", stem, base, number);
        TRY(path_in(label, PATH_SIZE, fix->labels, name, err));
        if (!path_exists(label)) {
            return OK;
        }
    }
    return error_at(err, ERR_IO, image, 0, "too many pictures of this name");
}

static enum result write_label(const struct sample *sample, bool is_changed, const char *path,
                               struct error *err)
{
    struct atomic_file file;
    char *text = NULL;
    size_t size = 0;
    if (!is_changed && sample->label_path) {
        TRY(file_read(sample->label_path, LABEL_MAX_BYTES, &text, &size, err));
    }
    struct near *near;
    enum result result = near_find(sample, &near, err);
    result = result == OK ? atomic_open(&file, path, err) : result;
    if (result != OK) {
        mem_free(near);
        mem_free(text);
        return result;
    }
    file.skips_sync = true;
    if (text) {
        fwrite(text, 1, size, file.stream);
    }
    for (size_t i = 0; i < sample->truth_count && !text; i++) {
        const struct truth *truth = &sample->truths[i];
        if (near[i].same < 0 && !(sample->is_crowd && sample->is_crowd[i])) {
            fprintf(file.stream, "%d %.9g %.9g %.9g %.9g\n", truth->class_id, (double)truth->box.cx,
                    (double)truth->box.cy, (double)truth->box.w, (double)truth->box.h);
        }
    }
    mem_free(near);
    mem_free(text);
    return atomic_commit(&file, err);
}

static enum result write_sample(struct fix *fix, size_t index, struct error *err)
{
    const struct sample *sample = &fix->set->data.samples[index];
    const struct picture *picture = &fix->set->pictures[index];
    char link[PATH_SIZE], label[PATH_SIZE], absolute[PATH_MAX];
    if (picture->is_bad || picture->is_copy || picture->is_shared) {
        fix->counts->dropped_pictures++;
        return OK;
    }
    if (sample->is_unusable) {
        fix->counts->unusable_pictures++;
        return OK;
    }
    TRY(choose_name(fix, sample->image_path, link, label, err));
    if (!realpath(sample->image_path, absolute)) {
        return error_errno(err, sample->image_path, "no absolute path");
    }
    if (symlink(absolute, link) != 0) {
        return error_errno(err, link, "cannot link the picture");
    }
    bool is_changed = picture->is_relabelled;
    TRY(write_label(sample, is_changed, label, err));
    fprintf(fix->list.stream, "%s\n", link);
    fix->counts->pictures++;
    fix->counts->labels_changed += is_changed;
    return OK;
}

/* ---- the whole ---- */

static enum result write_set(struct fix *fix, struct error *err)
{
    char name[64];
    snprintf(name, sizeof name, "images/%s", fix->set->role);
    TRY(path_in(fix->images, PATH_SIZE, fix->root, name, err));
    snprintf(name, sizeof name, "labels/%s", fix->set->role);
    TRY(path_in(fix->labels, PATH_SIZE, fix->root, name, err));
    snprintf(name, sizeof name, "%s.txt", fix->set->role);
    TRY(dir_make(fix->images, err));
    TRY(dir_make(fix->labels, err));
    TRY(atomic_open_in(&fix->list, fix->root, name, err));
    enum result result = OK;
    for (size_t i = 0; i < fix->set->data.sample_count && result == OK; i++) {
        result = write_sample(fix, i, err);
    }
    return atomic_end(&fix->list, result, err);
}

static enum result write_names(const struct fix *fix, struct error *err)
{
    char name[256];
    struct atomic_file file;
    TRY(atomic_open_in(&file, fix->root, "set.names", err));
    for (size_t i = 0; i < fix->doctor->class_count; i++) {
        fprintf(file.stream, "%s\n", doctor_class_name(fix->doctor, i, name, sizeof name));
    }
    return atomic_commit(&file, err);
}

static enum result write_data(const struct fix *fix, struct error *err)
{
    const struct doctor *doctor = fix->doctor;
    const char *valid = doctor->valid_is_train          ? "train.txt"
                        : doctor->set_count > SET_VALID ? "valid.txt"
                                                        : NULL;
    struct atomic_file file;
    TRY(atomic_open_in(&file, fix->root, "set.data", err));
    data_file_write(file.stream, doctor->class_count, "train.txt", valid, "set");
    return atomic_commit(&file, err);
}

enum result fix_write(const struct doctor *doctor, const char *out, struct fix_counts *counts,
                      struct error *err)
{
    struct fix *fix = mem_alloc(1, sizeof *fix);
    if (!fix) {
        return mem_error(err, out);
    }
    *counts = (struct fix_counts){0};
    fix->doctor = doctor;
    fix->counts = counts;
    enum result result = make_root(fix, out, err);
    for (int i = 0; i < doctor->set_count && result == OK; i++) {
        fix->set = &doctor->sets[i];
        result = write_set(fix, err);
    }
    result = result == OK ? write_names(fix, err) : result;
    result = result == OK ? write_data(fix, err) : result;
    mem_free(fix);
    return result;
}
