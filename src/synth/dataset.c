#include "synth/dataset.h"

#include <stdio.h>

#include "base/fileio.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/path.h"
#include "cfg/data_file.h"
#include "synth/synth.h"

enum { PATH_SIZE = 4096, PICTURES_PER_THREAD = 8 };

enum { PART_TRAIN, PART_VAL, PARTS };

static const char *const part_names[PARTS] = {"train", "val"};

struct outcome {
    enum result result;
    struct error err;
    int objects[SYNTH_CLASSES];
};

struct synthesis {
    const struct synth_dataset *dataset;
    struct textures *textures;
    int part, first; /* of the pictures at hand */
    struct outcome *outcomes;
    size_t *objects; /* [SYNTH_CLASSES] */
};

static int part_pictures(const struct synthesis *s, int part)
{
    return part == PART_TRAIN ? s->dataset->train : s->dataset->val;
}

/* ---- one picture ---- */

static enum result write_labels(const struct synthesis *s, const char *name,
                                const struct synth_picture *picture, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, s->dataset->folder, name, err));
    file.skips_sync = true;
    double w = picture->image.w, h = picture->image.h;
    for (int i = 0; i < picture->box_count; i++) {
        const struct synth_box *box = &picture->boxes[i];
        fprintf(file.stream, "%d %.6f %.6f %.6f %.6f\n", box->class_id,
                (box->x1 + box->x2) / (2 * w), (box->y1 + box->y2) / (2 * h),
                (box->x2 - box->x1) / w, (box->y2 - box->y1) / h);
    }
    return atomic_commit(&file, err);
}

static enum result write_picture(const struct synthesis *s, int index,
                                 const struct synth_picture *picture, struct error *err)
{
    char name[64], path[PATH_SIZE];
    snprintf(name, sizeof name, "images/%s/%06d.jpg", part_names[s->part], index);
    TRY(path_in(path, PATH_SIZE, s->dataset->folder, name, err));
    TRY(image_write_sample(path, &picture->image, err));
    snprintf(name, sizeof name, "labels/%s/%06d.txt", part_names[s->part], index);
    return write_labels(s, name, picture, err);
}

static void make_picture(void *ctx, size_t item, int thread)
{
    (void)thread;
    const struct synthesis *s = ctx;
    struct outcome *outcome = &s->outcomes[item];
    *outcome = (struct outcome){.result = OK};
    if (interrupt_pending()) {
        outcome->result = error_set(&outcome->err, ERR_INTERRUPTED, "interrupted");
        return;
    }
    int index = s->first + (int)item;
    struct synth_request request = {
        .set = (enum synth_set)s->dataset->set,
        .seed = (uint64_t)s->dataset->seed,
        .part = (uint64_t)s->part,
        .index = (uint64_t)index,
        .w = s->dataset->w,
        .h = s->dataset->h,
        .backgrounds = (enum synth_backgrounds)s->dataset->backgrounds,
    };
    struct synth_picture picture;
    outcome->result = synth_render(s->textures, &request, &picture, &outcome->err);
    if (outcome->result != OK) {
        return;
    }
    outcome->result = write_picture(s, index, &picture, &outcome->err);
    for (int i = 0; i < picture.box_count; i++) {
        outcome->objects[picture.boxes[i].class_id]++;
    }
    synth_picture_free(&picture);
}

/* ---- the whole set ---- */

static enum result make_part(struct synthesis *s, int part, struct error *err)
{
    int count = part_pictures(s, part);
    int batch = parallel_threads() * PICTURES_PER_THREAD;
    s->part = part;
    for (s->first = 0; s->first < count; s->first += batch) {
        int now = count - s->first < batch ? count - s->first : batch;
        parallel_for((size_t)now, make_picture, s);
        for (int i = 0; i < now; i++) {
            if (s->outcomes[i].result != OK) {
                *err = s->outcomes[i].err;
                return s->outcomes[i].result;
            }
            for (int k = 0; k < SYNTH_CLASSES; k++) {
                s->objects[k] += (size_t)s->outcomes[i].objects[k];
            }
        }
        log_progress("%s: %d of %d pictures", part_names[part], s->first + now, count);
    }
    return OK;
}

static enum result make_folders(const char *folder, struct error *err)
{
    static const char *const kinds[] = {"images", "labels"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int part = 0; part < PARTS; part++) {
            char name[32], path[PATH_SIZE];
            snprintf(name, sizeof name, "%s/%s", kinds[i], part_names[part]);
            TRY(path_in(path, PATH_SIZE, folder, name, err));
            TRY(dir_make(path, err));
        }
    }
    return OK;
}

static enum result open_text(const struct synthesis *s, const char *stem, const char *ending,
                             struct atomic_file *file, struct error *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", stem, ending);
    return atomic_open_in(file, s->dataset->folder, name, err);
}

static enum result write_list(const struct synthesis *s, int part, struct error *err)
{
    struct atomic_file file;
    TRY(open_text(s, part_names[part], "txt", &file, err));
    for (int i = 0; i < part_pictures(s, part); i++) {
        fprintf(file.stream, "images/%s/%06d.jpg\n", part_names[part], i);
    }
    return atomic_commit(&file, err);
}

static enum result write_names(const struct synthesis *s, struct error *err)
{
    struct atomic_file file;
    TRY(open_text(s, s->dataset->name, "names", &file, err));
    for (int i = 0; i < SYNTH_CLASSES; i++) {
        fprintf(file.stream, "%s\n", synth_class_name((enum synth_set)s->dataset->set, i));
    }
    return atomic_commit(&file, err);
}

static enum result write_data(const struct synthesis *s, struct error *err)
{
    struct atomic_file file;
    TRY(open_text(s, s->dataset->name, "data", &file, err));
    data_file_write(file.stream, SYNTH_CLASSES, s->dataset->train > 0 ? "train.txt" : NULL,
                    s->dataset->val > 0 ? "val.txt" : NULL, s->dataset->name);
    return atomic_commit(&file, err);
}

static enum result make_set(struct synthesis *s, struct error *err)
{
    TRY(make_folders(s->dataset->folder, err));
    for (int part = 0; part < PARTS; part++) {
        TRY(make_part(s, part, err));
    }
    log_progress("%s", "");
    for (int part = 0; part < PARTS; part++) {
        TRY(write_list(s, part, err));
    }
    TRY(write_names(s, err));
    return write_data(s, err);
}

enum result synth_dataset_write(const struct synth_dataset *dataset, size_t objects[SYNTH_CLASSES],
                                struct error *err)
{
    struct synthesis s = {.dataset = dataset, .objects = objects};
    size_t batch = (size_t)parallel_threads() * PICTURES_PER_THREAD;
    for (int i = 0; i < SYNTH_CLASSES; i++) {
        objects[i] = 0;
    }
    s.outcomes = mem_alloc(batch, sizeof *s.outcomes);
    enum result result = s.outcomes ? OK : mem_error(err, "pictures");
    if (result == OK) {
        result = textures_new(&s.textures, err);
    }
    if (result == OK) {
        result = make_set(&s, err);
    }
    textures_free(s.textures);
    mem_free(s.outcomes);
    return result;
}
