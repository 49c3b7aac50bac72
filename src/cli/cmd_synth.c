#include "cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/listing.h"
#include "base/log.h"
#include "base/options.h"
#include "base/parallel.h"
#include "synth/dataset.h"

struct synth_args {
    struct synth_dataset dataset;
    struct option_size size;
    int threads;
    bool force;
};

static const struct option synth_options[] = {
    {"classes", OPTION_CHOICE, offsetof(struct synth_args, dataset.set), 0, 0, "base|target",
     "base: sphere, cube, cylinder, cone, torus; target: mug, die, bottle, mushroom, lamp", 0},
    {"backgrounds", OPTION_CHOICE, offsetof(struct synth_args, dataset.backgrounds), 0, 0,
     "rooms|photos|mixed",
     "photos: painted, with the statistics of photographs and no objects; mixed: both, and objects "
     "before such backgrounds",
     0},
    {"train", OPTION_INT, offsetof(struct synth_args, dataset.train), 0, 999999, "N",
     "pictures to train with", 0},
    {"val|valid", OPTION_INT, offsetof(struct synth_args, dataset.val), 0, 999999, "N",
     "pictures to validate with", 0},
    {"size|imgsz", OPTION_SIZE, offsetof(struct synth_args, size), SYNTH_SIZE_MIN, SYNTH_SIZE_MAX,
     "WxH", "of the pictures", 0},
    {"seed", OPTION_INT, offsetof(struct synth_args, dataset.seed), 0, 2147483647, "N",
     "another seed, other pictures; the same seed, the same bytes", 0},
    {"name", OPTION_STRING, offsetof(struct synth_args, dataset.name), 0, 0, "NAME",
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
    "object of which anything shows is labelled, and none shows by less than a quarter. Train with\n"
    "--data OUT/NAME.data. Scenes of the target set also hold base shapes, unlabelled.\n";

static enum result check_args(const struct synth_args *args, struct error *err)
{
    const struct synth_dataset *d = &args->dataset;
    if (!d->folder) {
        error_set(err, ERR_ARG, "synth: no folder given");
        return error_hint(err, "yolo synth OUT");
    }
    if (d->train + d->val == 0) {
        return error_set(err, ERR_ARG, "synth: no pictures wanted (--train 0 --val 0)");
    }
    if (strchr(d->name, '/') || strlen(d->name) > 200) {
        return error_set(err, ERR_ARG, "synth: --name %.200s: a short word without / is expected",
                         d->name);
    }
    return args->force ? OK
                       : listing_need_empty(d->folder,
                                            "choose another one, or --force to write into it", err);
}

static void print_counts(const struct synth_dataset *d, const size_t objects[SYNTH_CLASSES])
{
    char text[512] = "";
    size_t used = 0;
    for (int i = 0; i < SYNTH_CLASSES && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s %zu", i ? ", " : "",
                                 synth_class_name((enum synth_set)d->set, i), objects[i]);
    }
    log_info("%d + %d pictures; objects: %s", d->train, d->val, text);
    log_info("data set: %s/%s.data", d->folder, d->name);
}

static enum result run_synth(int argc, char **argv, int *status, struct error *err)
{
    (void)status;
    struct synth_args args = {.dataset = {.train = 1000, .val = 200, .seed = 1, .name = "synth"},
                              .size = {416, 416}};
    const struct usage usage = {
        .command = "synth",
        .arguments = "OUT",
        .about = about,
        .example = "yolo synth shapes --train 2000 --val 200 --size 416x416",
        .groups = {{"Options", synth_options, &args}},
    };
    size_t objects[SYNTH_CLASSES];
    bool done;
    TRY(options_parse_few(&usage, argc, argv, &args.dataset.folder, 1, &done, err));
    if (done) {
        return OK;
    }
    TRY(check_args(&args, err));
    args.dataset.w = args.size.w;
    args.dataset.h = args.size.h;
    interrupt_catch();
    parallel_set_threads(args.threads);
    TRY(synth_dataset_write(&args.dataset, objects, err));
    print_counts(&args.dataset, objects);
    return OK;
}

const struct command cmd_synth = {
    "synth", "", "make a labelled data set of rendered tabletop scenes", run_synth};
