#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/fileio.h"
#include "base/path.h"
#include "base/log.h"
#include "cfg/data_file.h"
#include "base/listing.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/interrupt.h"
#include "base/options.h"
#include "synth/models.h"
#include "synth/synth.h"

enum { PATH_SIZE = 4096, CLASSES_MAX = 16, PICTURES_PER_THREAD = 8 };

struct synth_args {
    int train, val, seed, set, backgrounds, threads;
    struct option_size size;
    const char *name;
    bool force;
};

static const struct option synth_options[] = {
    {"classes", OPTION_CHOICE, offsetof(struct synth_args, set), 0, 0, "base|target",
     "base: sphere, cube, cylinder, cone, torus; target: mug, die, bottle, mushroom, lamp", 0},
    {"backgrounds", OPTION_CHOICE, offsetof(struct synth_args, backgrounds), 0, 0,
     "rooms|photos|mixed",
     "photos: painted, with the statistics of photographs and no objects; mixed: both, and objects "
     "before such "
     "backgrounds",
     0},
    {"train", OPTION_INT, offsetof(struct synth_args, train), 0, 999999, "N",
     "pictures to train with", 0},
    {"val|valid", OPTION_INT, offsetof(struct synth_args, val), 0, 999999, "N",
     "pictures to validate with", 0},
    {"size|imgsz", OPTION_SIZE, offsetof(struct synth_args, size), SYNTH_SIZE_MIN, SYNTH_SIZE_MAX,
     "WxH", "of the pictures", 0},
    {"seed", OPTION_INT, offsetof(struct synth_args, seed), 0, 2147483647, "N",
     "another seed, other pictures; the same seed, the same bytes", 0},
    {"name", OPTION_STRING, offsetof(struct synth_args, name), 0, 0, "NAME",
     "of the .data and .names files", 0},
    {"force", OPTION_FLAG, offsetof(struct synth_args, force), 0, 0, NULL,
     "write into a folder that is not empty; files of the same names are replaced", 0},
    {"threads", OPTION_INT, offsetof(struct synth_args, threads), 0, 1024, "N",
     "0 = as OMP_NUM_THREADS says, else all cores; the pictures do not depend on it", 0},
    {0},
};

static const char about[] =
    "Make a labelled data set without any download: tabletop scenes of simple objects, rendered.\n"
    "Writes OUT/images/{train,val}/*.jpg, OUT/labels/{train,val}/*.txt (YOLO), OUT/train.txt,\n"
    "OUT/val.txt, OUT/NAME.data and OUT/NAME.names. Boxes bound the visible pixels of an object; "
    "every\n"
    "object of which anything shows is labelled, and none shows by less than a quarter. Train "
    "with\n"
    "--data OUT/NAME.data. Scenes of the target set also hold base shapes, unlabelled.\n";

enum { PART_TRAIN, PART_VAL, PARTS };

static const char *const part_names[PARTS] = {"train", "val"};

struct outcome {
    enum result result;
    struct error err;
    int objects[CLASSES_MAX];
};

struct synthesis {
    const struct synth_args *args;
    const char *out;
    struct textures *textures;
    int part, first; /* of the pictures at hand */
    struct outcome *outcomes;
    size_t objects[CLASSES_MAX];
};

/* ---- one picture ---- */

static enum result write_labels(const struct synthesis *s, const char *name,
                                const struct synth_picture *picture, struct error *err)
{
    struct atomic_file file;
    TRY(atomic_open_in(&file, s->out, name, err));
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
    TRY(path_in(path, PATH_SIZE, s->out, name, err));
    TRY(image_write(path, &picture->image, err));
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
        .set = (enum synth_set)s->args->set,
        .seed = (uint64_t)s->args->seed,
        .part = (uint64_t)s->part,
        .index = (uint64_t)index,
        .w = s->args->size.w,
        .h = s->args->size.h,
        .backgrounds = (enum synth_backgrounds)s->args->backgrounds,
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
    int count = part == PART_TRAIN ? s->args->train : s->args->val;
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
            for (int k = 0; k < CLASSES_MAX; k++) {
                s->objects[k] += (size_t)s->outcomes[i].objects[k];
            }
        }
        log_progress("%s: %d of %d pictures", part_names[part], s->first + now, count);
    }
    return OK;
}

static enum result make_folders(const char *out, struct error *err)
{
    static const char *const folders[] = {"images", "labels"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        for (int part = 0; part < PARTS; part++) {
            char name[32], path[PATH_SIZE];
            snprintf(name, sizeof name, "%s/%s", folders[i], part_names[part]);
            TRY(path_in(path, PATH_SIZE, out, name, err));
            TRY(dir_make(path, err));
        }
    }
    return OK;
}

static enum result write_list(const struct synthesis *s, int part, struct error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%s.txt", part_names[part]);
    struct atomic_file file;
    TRY(atomic_open_in(&file, s->out, name, err));
    int count = part == PART_TRAIN ? s->args->train : s->args->val;
    for (int i = 0; i < count; i++) {
        fprintf(file.stream, "images/%s/%06d.jpg\n", part_names[part], i);
    }
    return atomic_commit(&file, err);
}

static enum result write_names(const struct synthesis *s, struct error *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s.names", s->args->name);
    struct atomic_file file;
    TRY(atomic_open_in(&file, s->out, name, err));
    enum synth_set set = (enum synth_set)s->args->set;
    for (int i = 0; i < synth_class_count(set); i++) {
        fprintf(file.stream, "%s\n", synth_class_name(set, i));
    }
    return atomic_commit(&file, err);
}

static enum result write_data(const struct synthesis *s, struct error *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s.data", s->args->name);
    struct atomic_file file;
    TRY(atomic_open_in(&file, s->out, name, err));
    data_file_write(file.stream, (size_t)synth_class_count((enum synth_set)s->args->set),
                    s->args->train > 0 ? "train.txt" : NULL, s->args->val > 0 ? "val.txt" : NULL,
                    s->args->name);
    return atomic_commit(&file, err);
}

static void report(const struct synthesis *s)
{
    enum synth_set set = (enum synth_set)s->args->set;
    char text[512] = "";
    size_t used = 0;
    for (int i = 0; i < synth_class_count(set) && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %zu", i ? ", " : "",
                                 synth_class_name(set, i), s->objects[i]);
    }
    log_info("%d + %d pictures; objects: %s", s->args->train, s->args->val, text);
    log_info("data set: %s/%s.data", s->out, s->args->name);
}

static enum result make_set(struct synthesis *s, struct error *err)
{
    TRY(make_folders(s->out, err));
    for (int part = 0; part < PARTS; part++) {
        TRY(make_part(s, part, err));
    }
    log_progress("%s", "");
    /* Lists come last: a set that was interrupted has none. */
    for (int part = 0; part < PARTS; part++) {
        TRY(write_list(s, part, err));
    }
    TRY(write_names(s, err));
    TRY(write_data(s, err));
    report(s);
    return OK;
}

static enum result check_args(const struct synth_args *args, const char *folder, struct error *err)
{
    if (!folder) {
        error_set(err, ERR_ARG, "synth: no folder given");
        return error_hint(err, "yolo synth OUT");
    }
    if (args->train + args->val == 0) {
        return error_set(err, ERR_ARG, "synth: no pictures wanted (--train 0 --val 0)");
    }
    if (strchr(args->name, '/') || strlen(args->name) > 200) {
        return error_set(err, ERR_ARG, "synth: --name %.200s: a short word without / is expected",
                         args->name);
    }
    return args->force
               ? OK
               : listing_need_empty(folder, "choose another one, or --force to write into it", err);
}

static enum result synth(const struct synth_args *args, const char *out, struct error *err)
{
    interrupt_catch();
    parallel_set_threads(args->threads);
    struct synthesis s = {.args = args, .out = out};
    size_t batch = (size_t)parallel_threads() * PICTURES_PER_THREAD;
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

static enum result run_synth(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct synth_args args = {
        .train = 1000, .val = 200, .seed = 1, .size = {416, 416}, .name = "synth"};
    const struct usage usage = {
        .command = "synth",
        .arguments = "OUT",
        .about = about,
        .example = "yolo synth shapes --train 2000 --val 200 --size 416x416",
        .groups = {{"Options", synth_options, &args}},
    };
    const char *folder;
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &folder, 1, &done, err));
    if (done) {
        return OK;
    }
    TRY(check_args(&args, folder, err));
    return synth(&args, folder, err);
}

const struct command cmd_synth = {
    "synth", "", "make a labelled data set of rendered tabletop scenes", run_synth};
