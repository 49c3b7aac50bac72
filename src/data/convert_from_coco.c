#include "data/convert.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "cfg/data_file.h"
#include "base/listing.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/coco_file.h"
#include "data/coco_root.h"
#include "data/label_path.h"

enum { SET_NAME = 256, PICTURE_MAX_BYTES = 1 << 30 };

/* One file of the job. */
struct part {
    const char *path;
    char set[SET_NAME];
    struct coco_file file;
    struct dataset data;
};

struct conversion {
    const struct convert_from_coco *job;
    struct convert_counts *counts;
    struct part *parts; /* [job->count]; the categories of the first are everyone's */
    FILE *list;         /* of the part in work */
};

/* ---- names ---- */

/* The file's name below a folder of ours: as it is, or only its last part where it would lead out. */
static const char *inner_name(const char *file_name)
{
    bool leads_out = file_name[0] == '/';
    for (const char *at = file_name; at; at = strchr(at, '/')) {
        at += *at == '/';
        leads_out = leads_out || strncmp(at, "../", 3) == 0 || strcmp(at, "..") == 0;
    }
    return leads_out ? path_base(file_name) : file_name;
}

/* out/KIND/SET/name with its folders made; `ending` replaces that of the name, NULL keeps it. */
static enum result place(const struct conversion *c, const char *set, const char *kind,
                         const char *name, const char *ending, char *path, struct error *err)
{
    char inner[CONVERT_PATH], folder[CONVERT_PATH];
    int length = snprintf(inner, sizeof inner, "%s/%s/%s", kind, set, name);
    if (length < 0 || (size_t)length + 8 >= sizeof inner) {
        return error_at(err, ERR_IO, name, 0, "path too long");
    }
    if (ending) {
        strcpy(inner + path_stem_length(inner), ending);
    }
    TRY(path_in(path, CONVERT_PATH, c->job->out, inner, err));
    snprintf(folder, sizeof folder, "%.*s", (int)(path_base(path) - path), path);
    return dir_make(folder, err);
}

/* ---- a picture ---- */

/* Six decimals, as usual; seven where six are more than a thousandth of a pixel; as many as
 * needed where six would print 0. */
static void print_number(FILE *out, float value, bool is_large)
{
    if (value < 1e-5f) {
        fprintf(out, " %.9g", (double)value);
    } else {
        fprintf(out, " %.*f", is_large ? 7 : 6, (double)value);
    }
}

static enum result write_label(struct conversion *c, const struct sample *sample, const char *path,
                               struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open(&file, path, err));
    file.skips_sync = true;
    bool is_large = sample->image_w > 1000 || sample->image_h > 1000;
    for (size_t i = 0; i < sample->truth_count; i++) {
        const struct truth *truth = &sample->truths[i];
        if (sample->is_crowd && sample->is_crowd[i] && !c->job->keep_crowds) {
            c->counts->crowds++;
            continue;
        }
        fprintf(file.stream, "%d", truth->class_id);
        print_number(file.stream, truth->box.cx, is_large);
        print_number(file.stream, truth->box.cy, is_large);
        print_number(file.stream, truth->box.w, is_large);
        print_number(file.stream, truth->box.h, is_large);
        fputc('\n', file.stream);
        c->counts->boxes++;
    }
    return atomic_commit(&file, err);
}

static enum result copy_picture(const char *from, const char *to, struct error *err)
{
    char *bytes;
    size_t size;
    struct atomic_file file;
    TRY(file_read(from, PICTURE_MAX_BYTES, &bytes, &size, err));
    enum result result = atomic_open(&file, to, err);
    if (result == OK) {
        file.skips_sync = true;
        fwrite(bytes, 1, size, file.stream);
        result = atomic_commit(&file, err);
    }
    mem_free(bytes);
    return result;
}

static enum result place_picture(const struct conversion *c, const char *from, const char *to,
                                 struct error *err)
{
    char absolute[PATH_MAX];
    if (c->job->copy) {
        return copy_picture(from, to, err);
    }
    if (!realpath(from, absolute)) {
        return error_errno(err, from, "no absolute path");
    }
    return symlink(absolute, to) == 0 ? OK : error_errno(err, to, "cannot link the picture");
}

static enum result convert_picture(struct conversion *c, const struct part *part,
                                   const struct sample *sample, struct error *err)
{
    char name[CONVERT_PATH], label[CONVERT_PATH], picture[CONVERT_PATH];
    const struct coco_picture *from =
        &part->file.pictures[coco_find_picture(&part->file, sample->coco_id)];
    if (!label_path_nest(inner_name(from->file_name), name, sizeof name)) {
        return error_at(err, ERR_IO, from->file_name, 0, "path too long");
    }
    TRY(place(c, part->set, "labels", name, ".txt", label, err));
    bool is_taken = path_exists(label);
    if (is_taken || !text_fits_list(name)) {
        log_warn("%s:%d: images[%zu]: %s (left out)", part->path, from->line, from->index,
                 is_taken ? "another picture has this file_name, but for its ending"
                          : "a file_name with control characters, which lists cannot hold");
        c->counts->lost++;
        return OK;
    }
    TRY(write_label(c, sample, label, err));
    TRY(place(c, part->set, "images", name, NULL, picture, err));
    TRY(place_picture(c, sample->image_path, picture, err));
    fprintf(c->list, "images/%s/%s\n", part->set, name);
    c->counts->pictures++;
    return OK;
}

/* ---- a file ---- */

static bool has_same_categories(const struct coco_file *a, const struct coco_file *b)
{
    bool is_same = a->category_count == b->category_count;
    for (size_t i = 0; is_same && i < a->category_count; i++) {
        const char *x = a->categories[i].name;
        const char *y = b->categories[i].name;
        is_same = a->categories[i].id == b->categories[i].id && strcmp(x ? x : "", y ? y : "") == 0;
    }
    return is_same;
}

static enum result read_part(struct conversion *c, struct part *part, struct error *err)
{
    size_t index = (size_t)(part - c->parts), count = c->job->image_count;
    const char *images = count > 0 ? c->job->images[index < count ? index : 0] : NULL;
    const struct dataset_source source = {.path = part->path, .images = images, .leaves_out = true};
    TRY(coco_file_read(part->path, COCO_IDS, &part->file, err));
    if (!has_same_categories(&c->parts[0].file, &part->file)) {
        return error_at(err, ERR_FORMAT, part->path, 0, "its categories are not those of %s",
                        c->parts[0].path);
    }
    TRY(dataset_open(&source, &part->data, err));
    if (part->data.sample_count == 0) {
        return error_at(err, ERR_FORMAT, part->path, 0,
                        "all %zu pictures have annotations that cannot be used (see: yolo check)",
                        part->data.left_out_count);
    }
    static const enum label_fault losses[] = {FAULT_CLASS_RANGE, FAULT_OUTSIDE, FAULT_ZERO_SIZE,
                                              FAULT_NO_IMAGE, FAULT_ANNOTATION};
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        c->counts->lost += part->data.faults[losses[i]];
    }
    return OK;
}

static enum result convert_pictures(struct conversion *c, const struct part *part,
                                    struct error *err)
{
    for (size_t i = 0; i < part->data.sample_count; i++) {
        TRY(convert_picture(c, part, &part->data.samples[i], err));
        if (i % 1000 == 999) {
            log_progress("%s: %zu of %zu pictures", part->path, i + 1, part->data.sample_count);
        }
    }
    log_progress("%s", "");
    return OK;
}

static enum result convert_part(struct conversion *c, const struct part *part, struct error *err)
{
    char name[SET_NAME + 8];
    struct atomic_file list;
    snprintf(name, sizeof name, "%s.txt", part->set);
    TRY(atomic_open_in(&list, c->job->out, name, err));
    c->list = list.stream;
    enum result result = convert_pictures(c, part, err);
    return atomic_end(&list, result, err);
}

/* ---- the whole ---- */

static enum result write_names(const struct conversion *c, const char *stem, struct error *err)
{
    char name[SET_NAME + 8];
    struct atomic_file file;
    snprintf(name, sizeof name, "%s.names", stem);
    TRY(atomic_open_in(&file, c->job->out, name, err));
    for (size_t i = 0; i < c->parts[0].file.category_count; i++) {
        const char *text = c->parts[0].file.categories[i].name;
        if (!text || !*text) {
            fprintf(file.stream, "class_%zu", i);
        }
        for (; text && *text; text++) { /* one line, whatever it is */
            fputc((unsigned char)*text < ' ' ? ' ' : *text, file.stream);
        }
        fputc('\n', file.stream);
    }
    return atomic_commit(&file, err);
}

/* The first set whose name has one of the words; `fallback` if none has. */
static const char *pick_set(const struct conversion *c, const char *const *words,
                            const char *fallback)
{
    for (; *words; words++) {
        for (size_t i = 0; i < c->job->count; i++) {
            if (strstr(c->parts[i].set, *words)) {
                return c->parts[i].set;
            }
        }
    }
    return fallback;
}

static enum result write_data(const struct conversion *c, const char *stem, struct error *err)
{
    static const char *const train_words[] = {"train", NULL}, *const valid_words[] = {"val", "test",
                                                                                      NULL};
    char name[SET_NAME + 8], train[SET_NAME + 8], valid[SET_NAME + 8];
    struct atomic_file file;
    const char *train_set = pick_set(c, train_words, c->parts[0].set);
    const char *valid_set = pick_set(c, valid_words, train_set);
    snprintf(name, sizeof name, "%s.data", stem);
    snprintf(train, sizeof train, "%s.txt", train_set);
    snprintf(valid, sizeof valid, "%s.txt", valid_set);
    TRY(atomic_open_in(&file, c->job->out, name, err));
    data_file_write(file.stream, c->parts[0].file.category_count, train,
                    valid_set != train_set ? valid : NULL, stem);
    return atomic_commit(&file, err);
}

static enum result name_parts(struct conversion *c, struct error *err)
{
    const struct convert_from_coco *job = c->job;
    for (size_t i = 0; i < job->count; i++) {
        char name[SET_NAME];
        c->parts[i].path = job->paths[i];
        coco_split_name(job->paths[i], name);
        if (!label_path_nest(name, c->parts[i].set, SET_NAME)) {
            return error_at(err, ERR_ARG, job->paths[i], 0, "its name is too long for a set");
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->parts[i].set, c->parts[k].set) == 0) {
                return error_set(err, ERR_ARG, "%s and %s would both become the set %s",
                                 job->paths[k], job->paths[i], c->parts[i].set);
            }
        }
    }
    return OK;
}

/* All files are read before anything is written: one that is of no use leaves nothing behind. */
static enum result prepare(struct conversion *c, struct error *err)
{
    const struct convert_from_coco *job = c->job;
    TRY(name_parts(c, err));
    TRY(listing_need_empty(job->out, "a new folder is expected: --out DIR", err));
    for (size_t i = 0; i < job->count; i++) {
        TRY(read_part(c, &c->parts[i], err));
    }
    return dir_make(job->out, err);
}

static enum result convert_all(struct conversion *c, struct error *err)
{
    char stem[SET_NAME], folder[CONVERT_PATH];
    snprintf(folder, sizeof folder, "%s", c->job->out);
    for (size_t length = strlen(folder); length > 1 && folder[length - 1] == '/'; length--) {
        folder[length - 1] = '\0';
    }
    const char *base = path_base(folder);
    snprintf(stem, sizeof stem, "%.200s", *base && *base != '.' ? base : "coco");
    TRY(prepare(c, err));
    for (size_t i = 0; i < c->job->count; i++) {
        TRY(convert_part(c, &c->parts[i], err));
    }
    TRY(write_names(c, stem, err));
    return write_data(c, stem, err);
}

enum result convert_from_coco(const struct convert_from_coco *job, struct convert_counts *counts,
                              struct error *err)
{
    *counts = (struct convert_counts){0};
    struct conversion c = {.job = job, .counts = counts};
    c.parts = mem_alloc(job->count, sizeof *c.parts);
    if (!c.parts) {
        return mem_error(err, "converting");
    }
    enum result result = convert_all(&c, err);
    for (size_t i = 0; i < job->count; i++) {
        coco_file_free(&c.parts[i].file);
        dataset_free(&c.parts[i].data);
    }
    mem_free(c.parts);
    return result;
}
